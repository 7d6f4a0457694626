"""How the checks went, run by run."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.errors import RecordNotFound
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query
from storage.quality.models import QualityRun, RunCounts
from storage.retries import retried


class QualityTrend:
    """Looks back at the runs of the checks."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def ended_run(self, run_id: UUID | None = None) -> QualityRun:
        """A run that came to its end, or the newest of them.

        Raises:
            RecordNotFound: when there is none.
        """
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(QualityRun)) as cursor,
        ):
            found = cursor.execute(query("ended_quality_run"), {"id": run_id}).fetchall()
        if found:
            return found[0]
        raise RecordNotFound(
            f"No check of the data with the id {run_id} came to its end."
            if run_id
            else "No check of the data came to its end yet; run 'agentruns check quality'."
        )

    @retried
    def runs(self, until: datetime, limit: int) -> list[RunCounts]:
        """What the last runs found, the oldest first, up to one that began at `until`."""
        given = {"until": until, "rows": limit}
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(RunCounts)) as cursor,
        ):
            return cursor.execute(query("quality_trend"), given).fetchall()

    @retried
    def bad_rows(
        self, runs: Sequence[RunCounts], names: Sequence[str]
    ) -> dict[str, list[int | None]]:
        """The bad rows of some checks, run by run; None where a check was not asked."""
        given = {"runs": [run.id for run in runs], "names": list(names)}
        with self._postgres.connection() as connection:
            rows = connection.execute(query("quality_checks_trend"), given).fetchall()
        found = {(run_id, name): bad for run_id, name, bad in rows}
        return {name: [found.get((run.id, name)) for run in runs] for name in names}
