"""How policies look, what goes by them, and the bar while it goes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from apps.cli.tables import size_text, table
from apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from storage.retention import Policy, PolicyReport, RetentionReport

_NONE = "There is no policy: nothing is ever deleted. 'agentruns retention add --help' shows how."


def as_list(policies: "Sequence[Policy]") -> RenderableType:
    """One line a policy."""
    if not policies:
        return _NONE
    rows = [
        (one.name, _what(one), _age(one), _keeps(one), "yes" if one.enabled else "no")
        for one in policies
    ]
    return table("Name", "What goes", "Older than", "What stays", "Enabled", rows=rows)


def as_page(policy: "Policy") -> RenderableType:
    """One policy in words."""
    changed = f"{policy.changed_at:%Y-%m-%d} by {policy.changed_by}" if policy.changed_at else ""
    told = (("Kind", str(policy.kind)), ("Changed", changed))
    return Group(as_list([policy]), "", table("About", "", rows=told))


def as_report(report: "RetentionReport") -> RenderableType:
    """What goes and what stays, policy by policy."""
    if not report.policies:
        return "There is no policy that is enabled: nothing is deleted."
    parts = [part for policy in report.policies for part in _of_policy(policy)]
    return Group(*parts, _words(report))


@contextmanager
def deleting(terminal: Terminal, tasks: int) -> Iterator[Callable[[int], None]]:
    """Show how many of the tasks are gone, on a terminal."""
    columns = (TextColumn("Deleting"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn())
    shown = terminal.err.is_terminal and not terminal.debug
    with Progress(
        *columns,
        console=terminal.err,
        transient=True,
        redirect_stdout=False,
        disable=not shown,
    ) as bar:
        job = bar.add_task("", total=tasks)
        yield lambda gone: bar.advance(job, gone)


def _of_policy(report: "PolicyReport") -> list[RenderableType]:
    parts: list[RenderableType] = [f"{report.policy}:"]
    if report.kind != "tasks":
        return [*parts, f"  {report.rows} rows\n"]
    going = [
        (
            *(one.agent_id, str(one.tasks), str(one.rows), str(one.documents)),
            *(str(one.objects), size_text(one.size_bytes)),
        )
        for one in report.agents
    ]
    if going:
        heads = ("Agent", "Tasks", "Rows", "Documents", "Objects", "Size")
        parts += [table(*heads, rows=going), ""]
    if report.kept:
        kept = [(one.reason, str(one.tasks), str(one.such_as)) for one in report.kept]
        parts += [table("Stays because", "Tasks", "Such as", rows=kept), ""]
    return parts if len(parts) > 1 else [*parts, "  no task has ended\n"]


def _words(report: "RetentionReport") -> str:
    tasks = report.totals["tasks"]
    rows = sum(policy.rows for policy in report.policies)
    what = f"{tasks} {'task' if tasks == 1 else 'tasks'}" + (
        f" and {rows} rows of our own" if rows else ""
    )
    if not report.applied:
        return f"Nothing was deleted. With --yes, this goes for good: {what}."
    if not report.verified:
        return f"Of {what}, something is still there: run the same command again."
    return f"Deleted for good: {what}. A search in all three stores found nothing of them."


def _what(policy: "Policy") -> str:
    # Late: it brings pydantic.
    from storage.retention.models import ENDED

    if policy.kind != "tasks":
        return {"passes": "evaluation passes", "quality": "runs of the checks"}[policy.kind]
    statuses = "ended" if set(policy.statuses) == set(ENDED) else ", ".join(policy.statuses)
    return f"{statuses} tasks of {policy.agents}"


def _age(policy: "Policy") -> str:
    hours = int(policy.older_than.total_seconds() // 3600)
    return f"{hours // 24} d" if hours % 24 == 0 else f"{hours} h"


def _keeps(policy: "Policy") -> str:
    kept = []
    if policy.keep_last:
        kept.append(f"the newest {policy.keep_last}")
    if policy.keep_below is not None:
        kept.append(f"scored below {policy.keep_below:g}")
    if policy.keep_tagged:
        kept.append(f"tagged {', '.join(policy.keep_tagged)}")
    return ", ".join(kept)
