"""A run of the checks as one page that anybody can read, offline, on a phone and on paper."""

from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from apps.cli.pages import rendered
from apps.cli.tables import size_text

if TYPE_CHECKING:
    from markupsafe import Markup

    from storage.quality import CheckResult
    from tasks.quality_history import QualityHistory


def as_page(history: "QualityHistory", written_at: datetime) -> str:
    """The page, which loads nothing from anywhere; recorded text is never markup in it."""
    # Late, as is all that few commands need.
    from tasks.quality_chart import small_chart, trend_chart

    report = history.report
    small = {name: _drawn(small_chart(rows)) for name, rows in history.bad_rows.items()}
    return rendered(
        "quality.html.j2",
        report=report,
        counts=counts(report.found),
        took=in_seconds(report.finished_at - report.started_at),
        size=size_text(report.size_bytes or 0),
        trend=_drawn(trend_chart(history.runs)),
        runs=len(history.runs),
        small=small,
        next_steps={check.name: next_step(check) for check in report.found},
        good=by_subject([check for check in report.checks if check.passed]),
        written_at=written_at,
    )


def _drawn(chart: str) -> "Markup":
    from markupsafe import Markup

    return Markup(chart)  # noqa: S704 - numbers and times, written by a writer of XML


def in_seconds(span: timedelta) -> str:
    """How long something took, as people say it."""
    seconds = span.total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def counts(found: list["CheckResult"]) -> dict[str, int]:
    """How many checks of each severity found something."""
    severities = [check.severity.value for check in found]
    return {severity: severities.count(severity) for severity in ("error", "warning", "info")}


def by_subject(checks: list["CheckResult"]) -> dict[str, list[str]]:
    """The names of checks by what they are about."""
    found = defaultdict(list)
    for check in checks:
        found[check.subject].append(check.name)
    return dict(found)


def next_step(check: "CheckResult") -> tuple[str, str]:
    """What to do about a finding, and the command for it."""
    if check.fault:
        return (
            "Mend its SQL, or report it when it is ours; then ask again.",
            "agentruns check quality",
        )
    if check.bad_rows is None:
        return "See whether what agents record arrives.", "agentruns check health"
    if check.subject == "current_objects":
        return "See what can be mended; nothing is changed by asking.", "agentruns repair"
    row = check.sample[0] if check.sample else {}
    if task := _task_id(row.get("task_id") or (row.get("id") if check.subject == "tasks" else "")):
        return "Look at the task, and at the agent that wrote it.", f"agentruns tasks show {task}"
    return "Look at the rows, and at the agent that wrote them.", "agentruns tasks list"


def _task_id(told: object) -> UUID | None:
    """An id only: agents write anything, and people copy the command into their shell."""
    with suppress(ValueError):
        return UUID(str(told))
    return None
