"""A run of the checks as numbers for Prometheus, in the format of the textfile collector."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tasks.quality_report import QualityReport

_PREFIX = "agentruns_quality"


def write_numbers(report: "QualityReport", file: Path) -> None:
    """Write the numbers over older ones; whoever reads meanwhile sees the older ones whole."""
    # Late, as is all that few commands need.
    from prometheus_client import CollectorRegistry, write_to_textfile

    registry = CollectorRegistry()
    _about_the_run(report, registry)
    _about_the_checks(report, registry)
    write_to_textfile(str(file), registry)


def _about_the_run(report: "QualityReport", registry: "CollectorRegistry") -> None:
    from prometheus_client import Gauge

    numbers = {
        "passed": ("Whether the data passed (1) or not (0).", float(report.passed)),
        "last_run_timestamp_seconds": (
            "When the last check of the data that came to its end began.",
            report.started_at.timestamp(),
        ),
        "duration_seconds": (
            "How long that check took.",
            (report.finished_at - report.started_at).total_seconds(),
        ),
        "objects": ("Objects that were compared.", report.objects),
        "object_bytes": ("Their size.", report.size_bytes),
    }
    for name, (told, value) in numbers.items():
        # The number of objects is forgotten with their inventory.
        if value is not None:
            Gauge(f"{_PREFIX}_{name}", told, registry=registry).set(value)


def _about_the_checks(report: "QualityReport", registry: "CollectorRegistry") -> None:
    from prometheus_client import Gauge

    labels = ("check", "subject", "severity")
    told = "Bad rows that a check found; none is told of one that counts no rows."
    rows = Gauge(f"{_PREFIX}_bad_rows", told, labels, registry=registry)
    told = "Whether a check passed (1), or found something or could not be asked (0)."
    passed = Gauge(f"{_PREFIX}_check_passed", told, labels, registry=registry)
    told = "Whether a check could not be asked (1), so that nothing is known."
    broken = Gauge(f"{_PREFIX}_check_broken", told, labels, registry=registry)
    for check in report.checks:
        about = (check.name, check.subject, check.severity.value)
        passed.labels(*about).set(float(check.passed))
        broken.labels(*about).set(float(check.fault is not None))
        if check.bad_rows is not None:
            rows.labels(*about).set(check.bad_rows)
