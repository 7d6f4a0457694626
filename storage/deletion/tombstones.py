"""The tombstones in PostgreSQL, which say what is deleted and what is yet to be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row
from pydantic_core import to_json

from agentruns.models import imported_id, new_id, utcnow
from storage.acts import Act
from storage.deletion.models import Counts, Deletion
from storage.errors import DeletionRunning, MigrationRunning, RecordNotFound, TaskHeld
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
        with self.taken([deletion.id]) as taken:
            if not taken:
                raise DeletionRunning(
                    f"Somebody else is deleting {deletion.name} in this moment: wait for them."
                )
            yield

    @contextmanager
    def taken(self, ids: Sequence[UUID]) -> Iterator[list[UUID]]:
        """Those of some deletions that nobody else is at work on, nor will be while this lasts."""
        with translated():
            connection = connect(self._url, _TURN_SECONDS, autocommit=True)
        try:
            with translated():
                rows = connection.execute(query("take_deletions"), {"ids": list(ids)}).fetchall()
            yield [row[0] for row in rows]
        finally:
            connection.close()

    def get(self, deletion_id: UUID) -> Deletion:
        """One deletion.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        if found := self.some([deletion_id]):
            return found[0]
        raise RecordNotFound(f"There is no deletion {deletion_id}.")

    @retried
    def some(self, ids: Sequence[UUID]) -> list[Deletion]:
        """These deletions."""
        return self._found("deletions_by_id", ids=list(ids))

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
            TaskHeld: when it is held.
        """
        with self._postgres.connection(_SECONDS) as connection:
            told = {"task_id": task_id}
            locked = connection.execute(query("lock_task_to_delete"), told).fetchall()
            if known := _read(connection, "deletion_of_task", told):
                return known[0]
            if not locked:
                raise RecordNotFound(f"There is no task with the id {task_id}.")
            refuse_held(connection, task_id=task_id)
            return opened_task(connection, str(locked[0][0]), task_id)

    @retried
    def open_agent(self, agent_id: str) -> Deletion:
        """From here on nothing of an agent is taken any more, and it gets no key.

        Raises:
            MigrationRunning: when a migration is at work that brings records of it.
            TaskHeld: when a task of it is held.
        """
        told = {"agent_id": agent_id}
        with self._postgres.connection(_SECONDS) as connection:
            if known := _read(connection, "deletion_of_agent", told):
                return known[0]
            refuse_held(connection, agent_id=agent_id)
            _hold(connection, connection.execute(query("migrations_of_agent"), told).fetchall())
            _open(connection, agent_id)
            # Who came first in the same moment has opened it; this is theirs, then.
            return _read(connection, "deletion_of_agent", told)[0]

    @retried
    def note_found(self, found: Mapping[UUID, Counts]) -> None:
        """Keep how much there is of each; what was counted first counts."""
        with self._postgres.connection() as connection:
            for id_, counts in found.items():
                connection.execute(query("note_found"), {"id": id_, "found": counts})

    @retried
    def finish(self, deletions: Sequence[Deletion]) -> None:
        """Note that nothing is left of these, there and in the audit log."""
        with self._postgres.connection() as connection:
            told = {"ids": [deletion.id for deletion in deletions]}
            new = {row[0] for row in connection.execute(query("finish_deletions"), told)}
            finished = [deletion for deletion in deletions if deletion.id in new]
            audit(connection, finished, lambda deletion: {"finished": deletion.found})

    @retried
    def note_sweeps(self, ids: Sequence[UUID]) -> None:
        """Note that nothing of these came in late, until the next look."""
        with self._postgres.connection() as connection:
            connection.execute(query("note_sweeps"), {"ids": list(ids)})

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


def opened_task(connection: PgConnection, agent_id: str, task_id: UUID, **why: Any) -> Deletion:
    """The tombstone of a task that nobody can hang anything on in this transaction.

    Raises:
        MigrationRunning: when a migration is at work that brings it.
    """
    rows = connection.execute(query("items_of_task"), {"task_id": task_id}).fetchall()
    items = [_Item(*row) for row in rows]
    _hold(connection, sorted({(item.migration_id,) for item in items}))
    archives = _archives(connection, agent_id, items)
    told: dict[str, Any] = {"task_id": task_id, "archives": archives, "items": len(items)}
    id_ = _open(connection, agent_id, **told, why=why)
    (deletion,) = _read(connection, "deletions_by_id", {"ids": [id_]})
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


def _open(  # noqa: PLR0913 - one argument a column
    connection: PgConnection,
    agent_id: str,
    *,
    task_id: UUID | None = None,
    archives: Sequence[str] = (),
    items: int = 0,
    why: Mapping[str, Any] | None = None,
) -> UUID:
    told: dict[str, Any] = {"id": new_id(), "agent_id": agent_id, "task_id": task_id}
    told |= {"archives": list(archives), "items": items}
    if connection.execute(query("open_deletion"), told).rowcount:
        opened = _read(connection, "deletions_by_id", {"ids": [told["id"]]})
        audit(connection, opened, lambda _: {"begun": utcnow().isoformat(), **(why or {})})
    return UUID(str(told["id"]))


def refuse_held(
    connection: PgConnection, *, agent_id: str | None = None, task_id: UUID | None = None
) -> None:
    """Raise where a task is held, or one of an agent's."""
    told = {"agent_id": agent_id, "task_id": task_id}
    if held := connection.execute(query("some_hold"), told).fetchall():
        raise TaskHeld(
            f"The task {held[0][0]} is held{_because(held[0][1])}: nothing deletes it until "
            f"'agentruns tasks release {held[0][0]}'."
        )


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _hold(connection: PgConnection, migrations: Sequence[tuple[UUID]]) -> None:
    """Keep migrations from running until the transaction ends."""
    for (migration_id,) in migrations:
        told = {"id": migration_id}
        # Who helps goes on for a while when the run that it helps was killed.
        locks = [connection.execute(query(name), told) for name in ("hold_migration", "hold_help")]
        if not all(lock.fetchall()[0][0] for lock in locks):
            raise MigrationRunning(
                f"The migration {migration_id} is at work and holds what is to be deleted: stop "
                "it, or wait for its end, and delete then."
            )


def audit(
    connection: PgConnection,
    deletions: Sequence[Deletion],
    about: Callable[[Deletion], dict[str, Any]],
) -> None:
    """Note what was done for some deletions, an entry each."""
    acts = [
        Act(one.agent_id, one.task_id, {"deletion": str(one.id), **about(one)}).entry()
        for one in deletions
    ]
    if acts:
        told = {"what": "data deleted", "entries": to_json(acts).decode()}
        connection.execute(query("audit"), told)
