"""`agentruns check ...`: is everything well?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.deep_progress import read_so_far
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.quality_reports import left_in_files
from apps.cli.tables import table, yes_no
from apps.cli.values import (
    Flag,
    GivenTerminal,
    MbPerSecond,
    Minutes,
    PositiveOrAll,
    Subset,
)

if TYPE_CHECKING:
    from flows.check_health import HealthReport
    from storage.quality import CheckResult
    from tasks.quality_report import QualityReport


SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


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


def quality(  # noqa: PLR0913 - options, every one optional
    *,
    checks: Path | None = None,
    grace_minutes: Minutes = 60,
    deep: Flag = False,
    sample: PositiveOrAll = None,
    seed: int = 0,
    subset: Subset = None,
    max_mb_per_s: MbPerSecond = None,
    report: Path | None = None,
    prometheus: Path | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """Ask whether the data can be trusted: tables, references, and objects against their rows.

    Exit code 1 when a check of the severity "error" finds something. Nothing is changed.

    Example: `agentruns check quality --checks my-checks`

    Args:
        checks: A folder with SQL files of your own, asked besides ours, or AGENTRUNS_CHECKS.
        grace_minutes: An object that is younger than this may still get its row.
        deep: Read every object, or those of a sample or subset, and compare its SHA-256. The same
            command goes on where an earlier one was stopped.
        sample: Read only so many objects.
        seed: Another number chooses another sample.
        subset: Read the n-th of t parts, as in 3/30; next/30 is the one not read for longest.
        max_mb_per_s: Read no more megabytes a second.
        report: A page to write about what was found, for a browser, a phone or a printer.
        prometheus: Numbers to write, a file that ends in .prom, for the textfile collector.
        terminal: Where to print.
    """
    if sample and subset:
        raise CommandError(ExitCode.WRONG_USAGE, "Choose --sample or --subset, not both.")
    told: dict[str, Any] = {"deep": deep, "sample": sample, "seed": seed, "subset": subset}
    folder = str(checks.absolute()) if checks else None
    news = read_so_far() if deep or sample or subset else None
    with (
        left_in_files(report, prometheus) as ran,
        terminal.working("Checking the data", news),
        prefect_server(terminal),
    ):
        from flows.check_quality import check_quality

        found = check_quality(
            checks=folder, grace_minutes=grace_minutes, max_mb_per_s=max_mb_per_s, **told
        )
        ran(found.run_id)
    code = ExitCode.GOOD if found.passed else ExitCode.NOT_GOOD
    document = found.model_dump(mode="json") | {"report": str(report) if report else None}
    return Answer(document, quality_as_text(found), code)


def quality_as_text(report: "QualityReport") -> RenderableType:
    """What was found, and an example of each; one line for all that is well."""
    from tasks.quality_report import read_of

    counts = f"{len(report.checks)} checks, {report.objects} objects compared{read_of(report)}."
    verdict = "The data passed." if report.passed else "The data did not pass."
    if not report.found:
        return f"{verdict} {counts}"
    rows = [_quality_row(check) for check in report.found]
    found = table("Check", "State", "Bad rows", "What it means", "Such as", rows=rows)
    return Group(found, "", f"{verdict} {counts}")


def _quality_row(check: "CheckResult") -> tuple[str | Text, ...]:
    from tasks.quality_report import first_of

    state = Text(check.severity.value, SEVERITY_STYLES[check.severity.value])
    bad = "-" if check.bad_rows is None else str(check.bad_rows)
    return check.name, state, bad, check.message, first_of(check)


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
