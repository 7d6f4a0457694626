"""`agentruns retention ...`: how long what was recorded is kept."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.retention_page import as_list, as_page, as_report, deleting
from apps.cli.scheduling import Every, interval
from apps.cli.values import Flag, GivenTerminal, PlainText, PositiveOrAll

if TYPE_CHECKING:
    from storage.retention import Policies, Policy

Names = Annotated[list[str] | None, Parameter()]


def add(  # noqa: PLR0913 - one parameter an option
    name: PlainText,
    /,
    *,
    older_than: Every = None,
    agents: PlainText = "*",
    status: Names = None,
    keep_last: PositiveOrAll = None,
    keep_below: float | None = None,
    scorer: PlainText | None = None,
    keep_tagged: Names = None,
    kind: PlainText = "tasks",
    disabled: Flag = False,
    terminal: GivenTerminal,
) -> Answer:
    """Add a policy, or change the one of that name; nothing is deleted by saying so.

    `agentruns retention run` says what would go. From now on, the flow `apply-retention` deletes
    it every night. Each policy decides by itself: a task goes when one of them says so.

    Example: `agentruns retention add old-failures --older-than 90d --status failed --keep-last 50`

    Args:
        name: What it is called.
        older_than: How long after its end, and after the last record of it arrived, a task stays:
            12h, 90d, 52w.
        agents: Only the tasks of these agents: `*` stands for any characters, `?` for one.
        status: Only tasks that ended so: completed, failed, cancelled or interrupted; may be
            repeated. All of them by default; what has not ended is never deleted.
        keep_last: So many of the newest of each agent stay, however old.
        keep_below: What was scored below this stays: 0 to 1.
        scorer: Whose verdict counts for that; anybody's by default.
        keep_tagged: What has this among the `tags` of its metadata stays; may be repeated.
        kind: tasks; or passes (numbers of evaluation passes, 400d by default), or quality (runs of
            the checks, 90d by default).
        disabled: Keep it, and do nothing by it.
        terminal: Where to print.
    """
    given = {
        "name": name,
        "kind": kind,
        "agents": agents,
        "older_than": _age(kind, older_than),
        "keep_last": keep_last,
        "keep_below": keep_below,
        "scorer": scorer,
        "keep_tagged": tuple(keep_tagged or ()),
        "enabled": not disabled,
    }
    policy = _policy(given | ({"statuses": tuple(status)} if status else {}))
    _check_that_all_counts(policy)
    with terminal.working("Adding"):
        _policies().put(policy)
    text = f"'agentruns retention run --policy {name}' says what goes by it."
    return Answer(policy.model_dump(mode="json"), text)


def list_policies(*, terminal: GivenTerminal) -> Answer:
    """List the policies.

    Example: `agentruns retention list`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Looking"):
        policies = _policies().all()
    document = {"policies": [policy.model_dump(mode="json") for policy in policies]}
    return Answer(document, as_list(policies))


def show(name: PlainText, /, *, terminal: GivenTerminal) -> Answer:
    """Show one policy.

    Example: `agentruns retention show old-failures`

    Args:
        name: What it is called.
        terminal: Where to print.
    """
    with terminal.working("Looking"):
        policy = _policies().get(name)
    return Answer(policy.model_dump(mode="json"), as_page(policy))


def remove(name: PlainText, /, *, terminal: GivenTerminal) -> Answer:
    """Remove a policy; what it would have deleted stays.

    Example: `agentruns retention remove old-failures`

    Args:
        name: What it is called.
        terminal: Where to print.
    """
    with terminal.working("Removing"):
        _policies().remove(name)
    return Answer({"name": name, "removed": True}, f"There is no policy {name} any more.")


def run(*, policy: PlainText | None = None, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Say what goes by the policies and why the rest stays; with --yes, delete it for good.

    Cut off in the middle, it is finished by the same command, or by the flow `finish-deletions`.
    Exit code 1 when something that was deleted is still there.

    Example: `agentruns retention run --policy old-failures --yes`

    Args:
        policy: Only this policy, also when it is disabled.
        yes: Really delete; nothing happens without it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.retention import Retaining

    with Retaining() as retaining:
        with terminal.working("Judging"):
            report = retaining.plan(policy)
        if yes:
            with deleting(terminal, report.totals["tasks"]) as told:
                report = retaining.apply(policy, told)
    numbers = report.totals
    document = {
        "applied": yes,
        "planned": {} if yes else numbers,
        "deleted": numbers if yes else {},
        "verified": report.verified,
        "policies": [one.model_dump(mode="json") for one in report.policies],
    }
    bad = yes and not report.verified
    return Answer(document, as_report(report), ExitCode.NOT_GOOD if bad else ExitCode.GOOD)


def _age(kind: str, older_than: str | None) -> object:
    # Late: it brings pydantic.
    from storage.retention.models import DEFAULT_AGES

    age = interval(older_than) if older_than else DEFAULT_AGES.get(kind)  # type: ignore[call-overload]
    if age is None:
        raise CommandError(ExitCode.WRONG_USAGE, "Say for how long tasks stay, with --older-than.")
    return age


def _policy(given: dict[str, object]) -> "Policy":
    from storage.retention import Policy

    return Policy.model_validate(given)


def _check_that_all_counts(policy: "Policy") -> None:
    """Refuse what would be kept, and then not be looked at when something goes."""
    of_tasks = {"agents", "statuses", "keep_below", "scorer", "keep_tagged"}
    said = {name for name in of_tasks if getattr(policy, name) != _default(policy, name)}
    if policy.kind != "tasks" and said:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"A policy for {policy.kind} knows no agents, statuses, scores or tags: "
            "only --older-than and --keep-last count for it.",
        )
    if policy.scorer and policy.keep_below is None:
        raise CommandError(
            ExitCode.WRONG_USAGE, "--scorer says whose verdict counts for --keep-below: say both."
        )


def _default(policy: "Policy", name: str) -> object:
    return type(policy).model_fields[name].default


def _policies() -> "Policies":
    # Late: the stores bring their drivers.
    from storage.retention import Policies
    from storage.stores import shared_stores

    return Policies(shared_stores().postgres)
