"""The parts of health that say how records flow, as checks beside those of the data."""

from collections.abc import Callable
from typing import NamedTuple

from agentruns.models import Health
from quality.local_spool import SPOOL, local_spool
from quality.pipeline import LAGGING, SILENT, evaluation_lag, silent_tasks
from storage.postgres import PostgresAdapter
from storage.quality import CheckResult, Severity

SUBJECT = "pipeline"
_MESSAGES = {
    SILENT: "Tasks are in progress of which nothing was heard for a while.",
    LAGGING: "Tasks that ended a while ago have no verdict.",
    SPOOL: "The spool of this machine is not delivered.",
}


class _Part(NamedTuple):
    name: str
    ask: Callable[[], Health]


def pipeline_checks(postgres: PostgresAdapter) -> list[CheckResult]:
    """Whether tasks say something, get verdicts, and leave the spool of this machine.

    Warnings at most: what is late is no bad data.
    """
    parts = (
        _Part(SILENT, lambda: silent_tasks(postgres)),
        _Part(LAGGING, lambda: evaluation_lag(postgres)),
        _Part(SPOOL, local_spool),
    )
    return [_as_check(part.name, part.ask()) for part in parts]


def _as_check(name: str, health: Health) -> CheckResult:
    return CheckResult(
        name=name,
        subject=SUBJECT,
        severity=Severity.WARNING,
        passed=health.healthy,
        bad_rows=None,
        message=_MESSAGES[name],
        sample=[] if health.healthy else [{"seen": health.detail}],
    )
