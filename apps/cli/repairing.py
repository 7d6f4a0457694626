"""`agentruns repair`: what the checks find is mended, first as a plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import table
from apps.cli.values import AgentId, Flag, GivenTerminal, Minutes

if TYPE_CHECKING:
    from tasks.repair_report import RepairReport


def repair(  # noqa: PLR0913 - one argument an option
    *,
    apply: Flag = False,
    agent: AgentId | None = None,
    spool: Path | None = None,
    grace_minutes: Minutes = 60,
    many: Flag = False,
    terminal: GivenTerminal,
) -> Answer:
    """Plan what to mend of what the checks find: rows, objects, and files that can be put back.

    Nothing is changed without --apply, and nothing is ever deleted: what cannot be explained is
    moved to the bucket "quarantine". Cut off in the middle, the same command goes on. Exit code 1
    when the checks do not pass.

    Example: `agentruns repair --apply --agent browser-1`

    Args:
        apply: Do what is planned.
        agent: Only what is this agent's.
        spool: Where lost files may still lie; the spool of this machine by default.
        grace_minutes: An object that is younger than this may still get its row.
        many: Also where more than a tenth of all objects is taken aside.
        terminal: Where to print.
    """
    folder = str(spool.absolute()) if spool else None
    with terminal.working("Repairing" if apply else "Planning"), prefect_server(terminal):
        from flows.repair_records import repair_records

        report = repair_records(
            apply=apply, agent_id=agent, spool=folder, grace_minutes=grace_minutes, many=many
        )
    code = ExitCode.GOOD if report.passed else ExitCode.NOT_GOOD
    return Answer(report.model_dump(mode="json"), as_text(report), code)


def as_text(report: "RepairReport") -> RenderableType:
    """The plan line by line, what came of it, and what is left for a person."""
    parts: list[RenderableType] = []
    if report.planned:
        parts += [_actions(report), ""]
    if report.left:
        parts += [_left(report), ""]
    return Group(*parts, _verdict(report))


def _actions(report: "RepairReport") -> RenderableType:
    from tasks.repair_report import subject_of

    rows = [
        (action.kind, subject_of(action), action.reason, action.told or action.outcome or "planned")
        for action in report.planned
    ]
    return table("What", "Row or object", "Why", "State", rows=rows)


def _left(report: "RepairReport") -> RenderableType:
    # Before a repair, these are findings, most of which it mends.
    last = "For a person" if report.applied else "What it means"
    rows = [
        (
            one.check,
            one.severity,
            "-" if one.rows is None else str(one.rows),
            one.advice if report.applied else one.message,
        )
        for one in report.left
    ]
    return table("Check", "Severity", "Rows", last, rows=rows)


def _verdict(report: "RepairReport") -> str:
    more = report.total - len(report.planned)
    rest = f" {more} more are in the table repair_actions." if more else ""
    if not report.total:
        words = "There is nothing to repair."
    elif report.applied:
        words = f"{report.total} actions.{rest}"
    else:
        words = (
            f"{report.total} actions are planned.{rest} Nothing was changed: "
            "'agentruns repair --apply' does it."
        )
    return f"{words} {'The data passed.' if report.passed else 'The data did not pass.'}"
