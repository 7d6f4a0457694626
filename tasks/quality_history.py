"""A run of the checks with those before it, read from PostgreSQL for people and programs."""

from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from storage.errors import RecordNotFound
from storage.inventory import InventoryStore, Snapshot
from storage.postgres import PostgresAdapter
from storage.quality import QualityRun, QualityStore, QualityTrend, RunCounts
from storage.stores import shared_stores
from tasks.quality_report import QualityReport

#: Runs that a chart shows.
MOST_RUNS = 30


class QualityHistory(NamedTuple):
    """What a run found, and how it came to that."""

    report: QualityReport
    runs: list[RunCounts]
    """The runs up to this one, the oldest first."""
    bad_rows: dict[str, list[int | None]]
    """Of each check that found something: how many in each of these runs."""


def read_history(run_id: UUID | None = None, most: int = MOST_RUNS) -> QualityHistory:
    """A run that came to its end, by default the newest.

    Raises:
        RecordNotFound: when there is none.
    """
    postgres = shared_stores().postgres
    trend = QualityTrend(postgres)
    run = trend.ended_run(run_id)
    results = QualityStore(postgres).results(run.id)
    report = QualityReport.of(run, _inventory(postgres, run), results)
    runs = trend.runs(run.started_at, most)
    return QualityHistory(report, runs, trend.bad_rows(runs, [one.name for one in report.found]))


def _inventory(postgres: PostgresAdapter, run: QualityRun) -> Snapshot | None:
    with suppress(RecordNotFound):
        return InventoryStore(postgres).get(run.snapshot_id) if run.snapshot_id else None
    return None
