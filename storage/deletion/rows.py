"""The rows of a task or an agent in PostgreSQL: counted in every table, removed in batches."""

from typing import Any, LiteralString, cast
from uuid import UUID

from psycopg import sql

from storage.deletion.models import Deletion
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
_OF_TASKS = ("delete_progress", "delete_evaluations", "delete_files")


class Rows:
    """Counts and removes rows; removing again changes nothing."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def count(self, agent_id: str, task_id: UUID | None) -> dict[str, int]:
        """How many rows each table has of a task or an agent, also a table that nobody knew of."""
        with self._postgres.connection(_SECONDS) as connection:
            tables = connection.execute(query("tables_about")).fetchall()
            counts = {
                table: _count(
                    connection, table, condition, agent_id if task_id is None else task_id
                )
                for table, columns in tables
                if (condition := _condition(table, columns, of_task=task_id is not None))
            }
            if task_id is None:
                counts |= _items(connection, agent_id)
        return counts

    def remove(self, deletion: Deletion) -> None:
        """Remove what hangs on tasks, then what brought them here, then themselves."""
        about = {"agent_id": deletion.agent_id, "task_id": deletion.task_id}
        for name in _OF_TASKS:
            while self._removed(name, about | {"rows": BATCH_SIZE}):
                pass
        if deletion.task_id is None:
            self._remove_agent(deletion)
            return
        archives = {"paths": list(deletion.archives), "agent_id": deletion.agent_id}
        self._removed("delete_archives", archives)
        self._removed("delete_task", about)

    def _remove_agent(self, deletion: Deletion) -> None:
        about = {"agent_id": deletion.agent_id, "deletion_id": deletion.id}
        while self._buried(about | {"rows": BATCH_SIZE}):
            pass
        while self._removed_items(about | {"rows": _ITEMS}):
            pass
        while self._removed("delete_other_files", about | {"rows": BATCH_SIZE}):
            pass
        self._removed("delete_migration_steps", about)
        self._removed("delete_migrations", about)

    @retried
    def forget_agent(self, agent_id: str) -> None:
        """Remove an agent and those of its keys that are no roles any more."""
        with self._postgres.connection() as connection:
            connection.execute(query("forget_agent"), {"agent_id": agent_id})

    @retried
    def _buried(self, about: dict[str, Any]) -> int:
        with self._postgres.connection(_SECONDS) as connection:
            ids = [row[0] for row in connection.execute(query("delete_tasks"), about).fetchall()]
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


def _condition(table: str, columns: list[str], *, of_task: bool) -> LiteralString | None:
    """What makes a row of a table one of a task, or of an agent; None where no row can be."""
    if not of_task:
        return "agent_id = %s" if "agent_id" in columns else None
    if table == "tasks":
        return "id = %s"
    if "task_id" in columns:
        return "task_id = %s"
    return "task_ids @> ARRAY[%s::uuid]" if "task_ids" in columns else None


def _count(
    connection: PgConnection, table: str, condition: LiteralString, value: str | UUID
) -> int:
    # The table's name comes from the catalog, and is quoted as one.
    counting = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
        sql.Identifier(table), sql.SQL(condition)
    )
    told = connection.execute(counting, [value]).fetchall()
    return int(told[0][0])


def _items(connection: PgConnection, agent_id: str) -> dict[str, int]:
    told = connection.execute(query("count_items_of_agent"), {"agent_id": agent_id}).fetchall()
    items, files = cast(tuple[int, int], told[0])
    return {"migration_items": items, "migration_files": files}
