"""The rows of tasks or an agent in PostgreSQL: counted in every table, removed in batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, cast
from uuid import UUID

from psycopg import sql

from storage.deletion.models import Deletion
from storage.deletion.tombstones import NO_ID
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retries import retried

#: A transaction of at most a second.
BATCH_SIZE = 5_000
#: An item may have 10,000 files.
_ITEMS = 20
_SECONDS = 60.0
#: What hangs on tasks.
_OF_TASKS = ("delete_progress", "delete_evaluations", "delete_files", "delete_quarantined")


class _Place(NamedTuple):
    """A task, in the order in which an agent's are gone through."""

    created_at: datetime | str
    id: UUID


class Rows:
    """Counts and removes rows; removing again changes nothing."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def of_agent(self, agent_id: str) -> dict[str, int]:
        """How many rows each table has of an agent, also a table that nobody knew of."""
        with self._postgres.connection(_SECONDS) as connection:
            counts = {
                table: _of_agent(connection, table, agent_id)
                for table, columns in connection.execute(query("tables_about")).fetchall()
                if "agent_id" in columns
            }
            return counts | _items(connection, agent_id)

    @retried
    def of_tasks(self, task_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
        """The same for tasks: one question a table, however many there are."""
        counts: dict[UUID, dict[str, int]] = {id_: {} for id_ in task_ids}
        with self._postgres.connection(_SECONDS) as connection:
            for table, columns in connection.execute(query("tables_about")).fetchall():
                for id_, number in _of_tasks(connection, table, columns, task_ids):
                    counts[id_][table] = number
        return counts

    def remove_tasks(self, deletions: Iterable[Deletion]) -> None:
        """Remove what hangs on these tasks, then themselves."""
        some = list(deletions)
        about = {"agent_id": None, "task_ids": [deletion.task_id for deletion in some]}
        self._remove_what_hangs(about)
        archives = [path for deletion in some for path in deletion.archives]
        self._removed("delete_archives", {"paths": archives})
        self._removed("delete_tasks_by_id", about)

    def remove_agent(self, deletion: Deletion) -> None:
        """Remove what hangs on an agent's tasks, themselves, and what brought them here."""
        about = {"agent_id": deletion.agent_id, "deletion_id": deletion.id, "task_ids": None}
        self._remove_what_hangs(about)
        while self._gone(about | {"rows": BATCH_SIZE}):
            pass
        while self._removed_items(about | {"rows": _ITEMS}):
            pass
        while self._removed("delete_other_files", about | {"rows": BATCH_SIZE}):
            pass
        self._removed("delete_migration_steps", about)
        self._removed("delete_migrations", about)

    def bury(self, deletion: Deletion) -> None:
        """Have nothing hung on the tasks of an agent any more; who began before is waited for."""
        place: _Place | None = _Place("-infinity", NO_ID)
        while place:
            place = self._buried(deletion, place)

    @retried
    def forget_agent(self, agent_id: str) -> None:
        """Remove an agent and those of its keys that are no roles any more."""
        with self._postgres.connection() as connection:
            connection.execute(query("forget_agent"), {"agent_id": agent_id})

    @retried
    def _buried(self, deletion: Deletion, after: _Place) -> _Place | None:
        told = {"agent_id": deletion.agent_id, "after_at": after.created_at, "after": after.id}
        with self._postgres.connection(_SECONDS) as connection:
            rows = connection.execute(query("lock_agents_tasks"), told | {"rows": BATCH_SIZE})
            page = [_Place(*row) for row in rows.fetchall()]
            buried = {"ids": [place.id for place in page], "agent_id": deletion.agent_id}
            connection.execute(query("bury_tasks"), buried | {"deletion_id": deletion.id})
        return page[-1] if page else None

    def _remove_what_hangs(self, about: dict[str, Any]) -> None:
        for name in _OF_TASKS:
            while self._removed(name, about | {"rows": BATCH_SIZE}):
                pass

    @retried
    def _gone(self, about: dict[str, Any]) -> int:
        with self._postgres.connection(_SECONDS) as connection:
            ids = [row[0] for row in connection.execute(query("delete_tasks"), about).fetchall()]
            # One that came with the tombstone was not buried with the others.
            connection.execute(query("bury_tasks"), about | {"ids": ids})
        return len(ids)

    @retried
    def _removed_items(self, about: dict[str, Any]) -> int:
        with self._postgres.connection(_SECONDS) as connection:
            ids = [row[0] for row in connection.execute(query("items_of_agent"), about).fetchall()]
            for name in (
                *("remember_sources", "delete_problems", "delete_differences"),
                *("delete_files_of_items", "delete_items"),
            ):
                connection.execute(query(name), about | {"ids": ids})
        return len(ids)

    @retried
    def _removed(self, name: str, told: dict[str, Any]) -> int:
        with self._postgres.connection(_SECONDS) as connection:
            return connection.execute(query(name), told).rowcount


def _of_agent(connection: PgConnection, table: str, agent_id: str) -> int:
    # The table's name comes from the catalog, and is quoted as one.
    counting = sql.SQL("SELECT count(*) FROM {} WHERE agent_id = %s").format(sql.Identifier(table))
    return int(connection.execute(counting, [agent_id]).fetchall()[0][0])


def _of_tasks(
    connection: PgConnection, table: str, columns: list[str], task_ids: Sequence[UUID]
) -> list[tuple[UUID, int]]:
    """The tasks of which a table has rows, and how many."""
    if (condition := _condition(table, columns)) is None:
        return []
    counting = sql.SQL(
        "SELECT task.id, count(*) FROM unnest(%s::uuid[]) AS task (id)"
        " INNER JOIN {} AS its ON {} GROUP BY task.id"
    ).format(sql.Identifier(table), sql.SQL(condition))
    found = connection.execute(counting, [list(task_ids)]).fetchall()
    return [(id_, int(number)) for id_, number in found]


def _condition(table: str, columns: list[str]) -> LiteralString | None:
    """What makes a row of a table one of a task; None where no row can be."""
    if table == "tasks":
        return "its.id = task.id"
    if "task_id" in columns:
        return "its.task_id = task.id"
    return "its.task_ids @> ARRAY[task.id]" if "task_ids" in columns else None


def _items(connection: PgConnection, agent_id: str) -> dict[str, int]:
    told = connection.execute(query("count_items_of_agent"), {"agent_id": agent_id}).fetchall()
    items, files = cast(tuple[int, int], told[0])
    return {"migration_items": items, "migration_files": files}
