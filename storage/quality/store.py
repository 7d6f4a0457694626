"""Results of the checks in PostgreSQL, with their history."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from agentruns.models import Page
from storage.paging import Position, checked_limit
from storage.postgres import PostgresAdapter
from storage.postgres.listing import window
from storage.postgres.queries import query
from storage.quality.models import CheckResult, QualityRun
from storage.retries import retried


class QualityStore:
    """Keeps runs and what each check found."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def open(self, run_id: UUID) -> None:
        """Note that a run begins."""
        with self._postgres.connection() as connection:
            connection.execute(query("open_quality_run"), {"id": run_id})

    @retried
    def close(
        self, run_id: UUID, snapshot_id: UUID, results: Sequence[CheckResult], *, passed: bool
    ) -> QualityRun:
        """Keep what the checks of a run found, which is over with that."""
        told = {"id": run_id, "snapshot_id": snapshot_id, "passed": passed}
        with self._postgres.connection() as connection:
            for result in results:
                row = result.model_dump() | {"run_id": run_id, "sample": Jsonb(result.sample)}
                connection.execute(query("insert_quality_result"), row)
            with connection.cursor(row_factory=class_row(QualityRun)) as cursor:
                return cursor.execute(query("close_quality_run"), told).fetchall()[0]

    @retried
    def page(self, limit: int = 100, after: str | None = None) -> Page[QualityRun]:
        """Runs, newest first."""
        given = window(checked_limit(limit), after)
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(QualityRun)) as cursor,
        ):
            found = cursor.execute(query("quality_runs_page"), given).fetchall()
        if len(found) <= limit:
            return Page(tuple(found))
        last = found[limit - 1]
        return Page(tuple(found[:limit]), Position(last.started_at, last.id).cursor())

    @retried
    def results(self, run_id: UUID) -> list[CheckResult]:
        """What the checks of one run found."""
        return [
            CheckResult.model_validate(row)
            for row in self._rows("quality_results_of_run", {"run_id": run_id})
        ]

    @retried
    def history(
        self, name: str, limit: int = 100, after: UUID | None = None
    ) -> list[dict[str, Any]]:
        """How one check went, newest first."""
        given = {"name": name, "rows": checked_limit(limit), "after_id": after}
        return self._rows("quality_history", given)

    def _rows(self, name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return cursor.execute(query(name), given).fetchall()
