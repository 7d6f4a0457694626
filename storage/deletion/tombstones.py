"""The tombstones in PostgreSQL, which say what is deleted and what is yet to be."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row
from pydantic_core import to_json

from agentruns.models import imported_id, new_id, utcnow
from storage.acts import Act
from storage.deletion.models import Counts, Deletion
from storage.errors import DeletionRunning, MigrationRunning, RecordNotFound
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.queries import query
from storage.retries import retried

#: An item of a migration may have 10,000 files.
_SECONDS = 60.0
_TURN_SECONDS = 15.0
_PAGE = 1000
#: Before every other id and moment.
NO_ID = UUID(int=0)


class Due(NamedTuple):
    """A finished deletion and since when it is to be searched for again."""

    deletion: Deletion
    due_at: datetime


class _Item(NamedTuple):
    """An item of a migration that a task came from."""

    id: UUID
    migration_id: UUID
    archive_path: str | None
    task_ids: list[UUID]
    """Whatever an archive of it may be filed under."""


class Tombstones:
    """Opens deletions, remembers them for ever, and knows which are to be finished."""

    def __init__(self, postgres: PostgresAdapter, operator_url: str) -> None:
        self._postgres = postgres
        self._url = operator_url

    @contextmanager
    def only_one(self, deletion: Deletion) -> Iterator[None]:
        """Be the only one at work on a deletion while this lasts; a kill ends it, too.

        Raises:
            DeletionRunning: when somebody else is.
        """
        with translated():
            connection = connect(self._url, _TURN_SECONDS, autocommit=True)
        try:
            with translated():
                taken = connection.execute(query("take_deletion"), {"id": deletion.id}).fetchall()
            if not taken[0][0]:
                raise DeletionRunning(
                    f"Somebody else is deleting {deletion.name} in this moment: wait for them."
                )
            yield
        finally:
            connection.close()

    @retried
    def get(self, deletion_id: UUID) -> Deletion:
        """One deletion.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        if found := self._found("deletion", id=deletion_id):
            return found[0]
        raise RecordNotFound(f"There is no deletion {deletion_id}.")

    @retried
    def of_task(self, task_id: UUID) -> Deletion | None:
        """What deleted a task, alone or with its agent."""
        return next(iter(self._found("deletion_of_task", task_id=task_id)), None)

    @retried
    def of_agent(self, agent_id: str) -> Deletion | None:
        """What deleted an agent that did not come back since."""
        return next(iter(self._found("deletion_of_agent", agent_id=agent_id)), None)

    @retried
    def archives_of(self, agent_id: str, task_id: UUID) -> tuple[str, ...]:
        """The archives of original files that hold something of a task."""
        with self._postgres.connection() as connection:
            items = connection.execute(query("items_of_task"), {"task_id": task_id}).fetchall()
            return tuple(_archives(connection, agent_id, [_Item(*item) for item in items]))

    def tasks_of(self, deletion: Deletion) -> Iterator[list[UUID]]:
        """The tasks that went with a deletion, page by page."""
        page = self._tasks(deletion, NO_ID)
        while page:
            yield page
            page = self._tasks(deletion, page[-1])

    @retried
    def open_task(self, task_id: UUID) -> Deletion:
        """From here on nothing of a task is taken any more; what was opened before is given back.

        Raises:
            RecordNotFound: when there is no such task.
            MigrationRunning: when a migration is at work that brings it.
        """
        with self._postgres.connection(_SECONDS) as connection:
            told = {"task_id": task_id}
            locked = connection.execute(query("lock_task_to_delete"), told).fetchall()
            if known := _read(connection, "deletion_of_task", told):
                return known[0]
            if not locked:
                raise RecordNotFound(f"There is no task with the id {task_id}.")
            return _opened_task(connection, str(locked[0][0]), task_id)

    @retried
    def open_agent(self, agent_id: str) -> Deletion:
        """From here on nothing of an agent is taken any more, and it gets no key.

        Raises:
            MigrationRunning: when a migration is at work that brings records of it.
        """
        told = {"agent_id": agent_id}
        with self._postgres.connection(_SECONDS) as connection:
            if known := _read(connection, "deletion_of_agent", told):
                return known[0]
            _hold(connection, connection.execute(query("migrations_of_agent"), told).fetchall())
            return _opened(connection, agent_id)

    @retried
    def note_found(self, deletion: Deletion, found: Counts) -> Deletion:
        """Keep how much there is; what was counted first counts."""
        with self._postgres.connection() as connection:
            connection.execute(query("note_found"), {"id": deletion.id, "found": found})
        return self.get(deletion.id)

    @retried
    def finish(self, deletion: Deletion) -> None:
        """Note that nothing is left, there and in the audit log."""
        with self._postgres.connection() as connection:
            told = {"id": deletion.id}
            if connection.execute(query("finish_deletion"), told).rowcount:
                _audit(connection, deletion, finished=deletion.found)

    @retried
    def note_sweep(self, deletion: Deletion) -> None:
        """Note that nothing of it came in late, until the next look."""
        with self._postgres.connection() as connection:
            connection.execute(query("note_sweep"), {"id": deletion.id})

    @retried
    def to_finish(self, after: UUID, rows: int) -> list[Deletion]:
        """The next deletions that were begun and not finished."""
        return self._found("deletions_to_finish", after=after, rows=rows)

    @retried
    def to_sweep(self, until: datetime, after: Due | None, rows: int) -> list[Due]:
        """The next finished deletions for which something may have come in late."""
        place = {
            "after_due": after.due_at if after else "-infinity",
            "after": after.deletion.id if after else NO_ID,
        }
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            told = {"until": until, "rows": rows, **place}
            found = cursor.execute(query("deletions_to_sweep"), told).fetchall()
        return [Due(due_at=row.pop("due_at"), deletion=Deletion(**row)) for row in found]

    @retried
    def _tasks(self, deletion: Deletion, after: UUID) -> list[UUID]:
        told = {"deletion_id": deletion.id, "after": after, "rows": _PAGE}
        with self._postgres.connection() as connection:
            return [row[0] for row in connection.execute(query("deleted_tasks_page"), told)]

    def _found(self, name: str, **told: Any) -> list[Deletion]:
        with self._postgres.connection() as connection:
            return _read(connection, name, told)


def _read(connection: PgConnection, name: str, told: dict[str, Any]) -> list[Deletion]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [Deletion(**row) for row in cursor.execute(query(name), told).fetchall()]


def _opened_task(connection: PgConnection, agent_id: str, task_id: UUID) -> Deletion:
    rows = connection.execute(query("items_of_task"), {"task_id": task_id}).fetchall()
    items = [_Item(*row) for row in rows]
    _hold(connection, sorted({(item.migration_id,) for item in items}))
    archives = _archives(connection, agent_id, items)
    deletion = _opened(connection, agent_id, task_id, archives, len(items))
    about = {"task_id": task_id, "agent_id": agent_id, "deletion_id": deletion.id}
    connection.execute(query("bury_task"), about)
    if ids := [item.id for item in items]:
        reason = f"A run of it was deleted for good on {deletion.began_at:%Y-%m-%d}."
        for name in (
            *("remember_sources", "mark_items_deleted", "mark_files_deleted"),
            *("delete_problems", "delete_differences"),
        ):
            connection.execute(query(name), about | {"ids": ids, "reason": reason})
    return deletion


def _archives(connection: PgConnection, agent_id: str, items: Sequence[_Item]) -> list[str]:
    """Every archive of these items, also of what they held before; another item's stays."""
    known = {item.archive_path for item in items if item.archive_path}
    if not items:
        return []
    filed = {id_ for item in items for id_ in item.task_ids}
    told = {"agent_id": agent_id, "task_ids": list(filed)}
    own, others = set[str](), set[str]()
    for id_, sha256, path in connection.execute(query("archives_filed"), told):
        # As `ItemCopy` makes it.
        is_own = id_ in {imported_id("archive", str(item.id), sha256) for item in items}
        (own if is_own else others).add(path)
    return sorted(known | (own - others))


def _opened(
    connection: PgConnection,
    agent_id: str,
    task_id: UUID | None = None,
    archives: Sequence[str] = (),
    items: int = 0,
) -> Deletion:
    told: dict[str, Any] = {"id": new_id(), "agent_id": agent_id, "task_id": task_id}
    told |= {"archives": list(archives), "items": items}
    connection.execute(query("open_deletion"), told)
    (deletion,) = _read(connection, "deletion", told)
    _audit(connection, deletion, begun=utcnow().isoformat())
    return deletion


def _hold(connection: PgConnection, migrations: Sequence[tuple[UUID]]) -> None:
    """Keep migrations from running until the transaction ends."""
    for (migration_id,) in migrations:
        ((held,),) = connection.execute(query("hold_migration"), {"id": migration_id}).fetchall()
        if not held:
            raise MigrationRunning(
                f"The migration {migration_id} is at work and holds what is to be deleted: stop "
                "it, or wait for its end, and delete then."
            )


def _audit(connection: PgConnection, deletion: Deletion, **details: Any) -> None:
    told = {"deletion": str(deletion.id), **details}
    entry = Act(deletion.agent_id, deletion.task_id, told).entry()
    entries = to_json([entry]).decode()
    connection.execute(query("audit"), {"what": "data deleted", "entries": entries})
