"""Many records in one transaction, in a way that can be repeated."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import scalar_row
from pydantic import TypeAdapter

from agentruns.models import AgentTask, Evaluation, ProgressUpdate, StoredFile
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.postgres.transitions import BY_TIME, ONE_WAY, collapsed

#: Measured: up to about here `executemany` is quicker than making a temporary table for a COPY.
_FEW = 100

_TASKS = TypeAdapter(list[AgentTask])


@dataclass(frozen=True, slots=True)
class Table:
    """A table that only ever gains rows, and its columns as attributes of a record."""

    name: str
    insert: str
    merge: str
    columns: Mapping[str, str]


PROGRESS = Table(
    "task_progress",
    "insert_progress",
    "merge_progress",
    {
        "id": "uuid",
        "task_id": "uuid",
        "agent_id": "text",
        "step": "int4",
        "progress_percent": "float8",
        "message": "text",
        "data": "jsonb",
        "timestamp": "timestamptz",
        "sequence": "int8",
    },
)
FILES = Table(
    "binary_file_metadata",
    "insert_file",
    "merge_files",
    {
        "id": "uuid",
        "agent_id": "text",
        "task_id": "uuid",
        "bucket": "text",
        "object_path": "text",
        "content_type": "text",
        "size_bytes": "int8",
        "sha256": "text",
        "etag": "text",
        "metadata": "jsonb",
        "uploaded_at": "timestamptz",
        "sequence": "int8",
    },
)
EVALUATIONS = Table(
    "evaluations",
    "insert_evaluation",
    "merge_evaluations",
    {
        "id": "uuid",
        "task_id": "uuid",
        "agent_id": "text",
        "pass_id": "uuid",
        "scorer": "text",
        "scorer_version": "text",
        "score": "float8",
        "report": "text",
        "metrics": "jsonb",
        "evidence_digest": "text",
        "created_at": "timestamptz",
    },
)


def store_rows(  # noqa: PLR0913 - one sequence a table
    connection: PgConnection,
    *,
    tasks: Sequence[AgentTask] = (),
    progress: Sequence[ProgressUpdate] = (),
    files: Sequence[StoredFile] = (),
    evaluations: Sequence[Evaluation] = (),
    touched: Collection[UUID] = (),
) -> None:
    """Store what is new of all this, and note on which tasks there is news.

    `touched` are the tasks of which something was stored elsewhere. Runs in the transaction of
    the connection. What is there already stays as it is; a task advances where the news counts.
    """
    about = _tasks_of(progress) | _tasks_of(files)
    _lock(connection, about.union(touched, (task.id for task in tasks)))
    current = _store_tasks(connection, collapsed(tasks))
    news = set(touched)
    if store_new(connection, PROGRESS, progress):
        news |= _tasks_of(progress)
    if store_new(connection, FILES, files):
        news |= _tasks_of(files)
    store_new(connection, EVALUATIONS, evaluations)
    _touch(connection, news - current)


def store_new(connection: PgConnection, table: Table, records: Sequence[Any]) -> int:
    """Insert the records that are not there yet, the quickest way; says how many were new."""
    if not records:
        return 0
    return (_insert if len(records) <= _FEW else _copy)(connection, table, records)


def _tasks_of(records: Sequence[ProgressUpdate | StoredFile]) -> set[UUID]:
    return {record.task_id for record in records if record.task_id is not None}


def _insert(connection: PgConnection, table: Table, records: Sequence[Any]) -> int:
    with _preparing(connection), connection.cursor() as cursor:
        # The attributes of a record are named as the parameters are.
        cursor.executemany(query(table.insert), [vars(record) for record in records])
        return cursor.rowcount


@contextmanager
def _preparing(connection: PgConnection) -> Iterator[None]:
    # An insert has one plan only, so that planning it once saves half of the time.
    connection.prepare_threshold = 0
    try:
        yield
    finally:
        connection.prepare_threshold = None


def _copy(connection: PgConnection, table: Table, records: Sequence[Any]) -> int:
    incoming = sql.Identifier(f"incoming_{table.name}")
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE {})").format(incoming, sql.Identifier(table.name))
        )
        names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(incoming, names)
        row = attrgetter(*table.columns)
        with cursor.copy(statement) as copy:
            copy.set_types(list(table.columns.values()))
            for record in records:
                copy.write_row(row(record))
        new = cursor.execute(query(table.merge)).rowcount
        cursor.execute(sql.SQL("DROP TABLE {}").format(incoming))
        return new


def _store_tasks(connection: PgConnection, tasks: list[AgentTask]) -> set[UUID]:
    new = _changed(connection, "insert_tasks", tasks)
    known = [task for task in tasks if task.id not in new]
    advanced = _changed(connection, "advance_tasks", known, one_way=ONE_WAY, by_time=BY_TIME)
    return new | advanced | _changed(connection, "complete_tasks", known)


def _changed(
    connection: PgConnection, name: str, tasks: list[AgentTask], **rule: list[str]
) -> set[UUID]:
    if not tasks:
        return set()
    with connection.cursor(row_factory=scalar_row) as cursor:
        told = {"tasks": _TASKS.dump_json(tasks).decode(), **rule}
        return set(cursor.execute(query(name), told))


def _lock(connection: PgConnection, ids: set[UUID]) -> None:
    if len(ids) > 1:
        connection.execute(query("lock_tasks"), {"ids": sorted(ids)})


def _touch(connection: PgConnection, ids: Iterable[UUID]) -> None:
    if ids := sorted(ids):
        connection.execute(query("touch_tasks"), {"ids": ids})
