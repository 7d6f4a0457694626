"""Ask everything that has to work how it is."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from agentruns.models import Health
from agentruns.models.values import Record
from tasks.health import (
    PIPELINE_CHECKS,
    check_pipeline,
    check_prefect,
    check_spool,
    check_stores,
    end_dead_runs,
)


class HealthReport(Record):
    """Every check, and whether all of them are well."""

    healthy: bool
    checks: tuple[Health, ...]

    @property
    def away(self) -> bool:
        """Whether a store or the Prefect server itself is not well."""
        return any(not check.healthy and check.name not in PIPELINE_CHECKS for check in self.checks)


@flow(timeout_seconds=60, persist_result=False)
def check_health() -> HealthReport:
    """Ask every store, the Prefect server, the pipeline and the spool how they are.

    Runs that were cut off by a reboot become interrupted on the way. This run succeeds whenever
    it found out; what it found is in its table.
    """
    stores = (*check_stores(), check_prefect())
    # First: what is interrupted is not silent any more.
    checks = (*stores, end_dead_runs(), *check_pipeline(), check_spool())
    report = HealthReport(healthy=all(check.healthy for check in checks), checks=checks)
    _show(report)
    return report


def _show(report: HealthReport) -> None:
    """Leave the table that people open in Prefect."""
    create_table_artifact(
        key="health",
        description="Everything is well." if report.healthy else "**Not everything is well.**",
        table=[
            {
                "check": check.name,
                "state": "well" if check.healthy else "NOT WELL",
                "took": f"{check.latency_ms:.0f} ms",
                "what was seen": check.detail,
            }
            for check in report.checks
        ],
    )
