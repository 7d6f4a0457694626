"""`agentruns check ...`: is everything well?"""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import table, yes_no
from apps.cli.values import GivenTerminal

if TYPE_CHECKING:
    from flows.check_health import HealthReport


def health(*, terminal: GivenTerminal) -> Answer:
    """Ask every store, the Prefect server and the pipeline itself how they are.

    Exit code 3 when a store or Prefect is not well, 1 when only the pipeline is behind.

    Example: `agentruns check health`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Checking the health"), prefect_server(terminal):
        from flows.check_health import check_health

        report = check_health()
    return Answer(report.model_dump(mode="json"), as_text(report), code_of(report))


def code_of(report: "HealthReport") -> ExitCode:
    """Whether a server is away, or only the pipeline is behind."""
    if report.away:
        return ExitCode.AWAY
    return ExitCode.GOOD if report.healthy else ExitCode.NOT_GOOD


def as_text(report: "HealthReport") -> RenderableType:
    """One line a check, and what to do about those that are not well."""
    rows = [
        (check.name, yes_no(check.healthy), f"{check.latency_ms:.0f} ms", check.detail)
        for check in report.checks
    ]
    verdict = "Everything is well." if report.healthy else "Not everything is well."
    return Group(table("Check", "State", "Took", "What was seen", rows=rows), "", verdict)
