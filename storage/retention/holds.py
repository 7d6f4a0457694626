"""Tasks that nobody deletes until they are released."""

from collections.abc import Mapping
from uuid import UUID

from psycopg.rows import dict_row

from agentruns.models import Page
from agentruns.models.values import Record, UtcTime
from storage.errors import RecordNotFound
from storage.paging import checked_limit
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried

_FIRST = UUID(int=0)


class Hold(Record):
    """A task that is held, and why."""

    task_id: UUID
    agent_id: str
    reason: str
    held_at: UtcTime
    held_by: str


class Holds:
    """Holds tasks and releases them, as the operator; PostgreSQL notes both in the audit log."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def hold(self, task_id: UUID, reason: str = "") -> Hold:
        """Have nothing delete a task; again, with another reason, changes that.

        Raises:
            RecordNotFound: when there is no such task.
            RecordRejected: when it is being deleted.
        """
        told = {"task_id": task_id, "reason": reason}
        if held := self._found("hold_task", told):
            return held[0]
        raise RecordNotFound(f"There is no task with the id {task_id}.")

    @retried
    def release(self, task_id: UUID) -> bool:
        """Let a task be deleted again; whether it was held."""
        with self._postgres.connection() as connection:
            return connection.execute(query("release_task"), {"task_id": task_id}).rowcount > 0

    @retried
    def page(
        self, limit: int = 100, agent_id: str | None = None, after: UUID | None = None
    ) -> Page[Hold]:
        """The next tasks that are held."""
        told = {"agent_id": agent_id, "after": after or _FIRST, "rows": checked_limit(limit) + 1}
        found = self._found("holds_page", told)
        more = str(found[limit - 1].task_id) if len(found) > limit else None
        return Page(tuple(found[:limit]), more)

    def _found(self, name: str, told: Mapping[str, object]) -> list[Hold]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return [Hold(**row) for row in cursor.execute(query(name), told).fetchall()]
