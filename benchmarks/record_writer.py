"""The record writer against the raw drivers' bulk calls on the same rows.

The raw calls get their rows, documents and bytes ready-made. They may be repeated like ours
(ON CONFLICT, ordered=False), because a bulk load that can't be repeated answers no question here.
"""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from minio import Minio
from psycopg.types.json import Jsonb
from pymongo import MongoClient
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    LogEntry,
    ProgressUpdate,
    StoredFile,
    Upload,
    new_id,
    object_path,
)
from benchmarks.measure import Action, compare, show
from benchmarks.sandbox import raw_minio, sandbox
from storage import Stores

PROGRESS, LOGS, OBJECTS = 20_000, 20_000, 400
BATCH = 1_000
PICTURE_BYTES = 20_000
DATA = {"action": "click", "x": 412, "y": 230, "element": "Continue", "duration_ms": 182}
GOAL = 0.8


def main() -> None:
    """Print the ratio for progress, logs, objects and a mixture of them."""
    with sandbox() as (stores, agent_id):
        tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(100)]
        # The log entry makes the collection and its indexes, which the raw one gets as well.
        stores.writer.write([*tasks, LogEntry(agent_id=agent_id, message="first")])
        make, raw = Maker(agent_id, tasks), Raw(stores, agent_id)
        for name, kinds, unit in (
            ("progress", (make.progress,), "rows/s"),
            ("logs", (make.logs,), "docs/s"),
            ("objects of 20 kB", (make.objects,), "objects/s"),
            ("mixed (50:50:1)", (make.progress, make.logs, make.objects), "records/s"),
        ):
            amount = sum(len(kind()) for kind in kinds)
            found = compare(lambda kinds=kinds: both(stores, raw, kinds), amount)  # type: ignore[misc]  # mypy knows no type of a default
            show(f"record writer: {name}", found, unit, GOAL)


def both(
    stores: Stores, raw: "Raw", kinds: Sequence[Callable[[], list[Any]]]
) -> tuple[Action, Action]:
    """One round: fresh records for the writer and, ready-made, as many for the drivers."""
    mine: list[AnyRecord] = [record for kind in kinds for record in kind()]
    theirs = [raw.ready(kind()) for kind in kinds]
    return lambda: stores.writer.write(mine), lambda: [action() for action in theirs]


class Maker:
    """Makes records that nobody has stored yet."""

    def __init__(self, agent_id: str, tasks: list[AgentTask]) -> None:
        self._agent_id = agent_id
        self._tasks = [task.id for task in tasks]
        self._random = Random(1)  # noqa: S311 - pixels, not passwords

    def progress(self, count: int = PROGRESS) -> list[ProgressUpdate]:
        """Steps of many tasks."""
        return [
            ProgressUpdate(
                task_id=self._task(number), agent_id=self._agent_id, step=number,
                progress_percent=50.0, message="clicked a button", data=DATA,
            )
            for number in range(count)
        ]  # fmt: skip

    def logs(self, count: int = LOGS) -> list[LogEntry]:
        """Lines of an agent."""
        return [
            LogEntry(
                agent_id=self._agent_id, task_id=self._task(number),
                message="clicked a button", data=DATA,
            )
            for number in range(count)
        ]  # fmt: skip

    def objects(self, count: int = OBJECTS) -> list[Upload]:
        """Screenshots, each different."""
        return [self._screenshot(number) for number in range(count)]

    def _screenshot(self, number: int) -> Upload:
        content = b"\x89PNG\r\n\x1a\n" + self._random.randbytes(PICTURE_BYTES)
        digest, task_id = sha256(content).hexdigest(), self._task(number)
        file = StoredFile(
            agent_id=self._agent_id, task_id=task_id, bucket=Bucket.SCREENSHOTS,
            object_path=object_path(self._agent_id, task_id, digest, ".png"),
            content_type="image/png", size_bytes=len(content), sha256=digest,
            metadata={"step": number},
        )  # fmt: skip
        return Upload(file=file, content=content)

    def _task(self, number: int) -> UUID:
        return self._tasks[number % len(self._tasks)]


class Raw:
    """The drivers' own bulk calls."""

    def __init__(self, stores: Stores, agent_id: str) -> None:
        settings = stores.settings
        self._postgres = psycopg.connect(settings.required("postgres_owner_url"), autocommit=True)
        self._minio: Minio = raw_minio(settings)
        mongo = MongoClient[dict[str, Any]](
            settings.required("mongodb_url"), uuidRepresentation="standard"
        )
        concern = WriteConcern(j=True)
        # A collection of its own with the same indexes, so that neither pays for the other's.
        self._logs = mongo[f"agent_{agent_id}"].get_collection("raw_logs", write_concern=concern)
        for index in mongo[f"agent_{agent_id}"]["agent_logs"].list_indexes():
            if index["name"] != "_id_":
                self._logs.create_index(list(index["key"].items()))

    def ready(self, records: list[Any]) -> Action:
        """The bulk call for these records, which are turned into the driver's form now."""
        match records[0]:
            case ProgressUpdate():
                rows = [_row(record) for record in records]
                return lambda: [self._copy(batch) for batch in _batches(rows)]
            case LogEntry():
                documents = [_document(record) for record in records]
                return lambda: [self._insert(batch) for batch in _batches(documents)]
            case _:
                objects = [
                    (each.file.object_path, each.content, _row_of_file(each)) for each in records
                ]
                return lambda: self._put(objects)

    def _copy(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._postgres.transaction(), self._postgres.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE incoming (LIKE task_progress) ON COMMIT DROP")
            with cursor.copy("COPY incoming FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(
                "INSERT INTO task_progress SELECT * FROM incoming ON CONFLICT DO NOTHING"
            )

    def _insert(self, documents: Sequence[dict[str, Any]]) -> None:
        try:
            self._logs.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            raise RuntimeError("the raw driver was refused") from error

    def _put(self, objects: list[tuple[str, bytes, tuple[Any, ...]]]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put_one, objects))
        with self._postgres.transaction(), self._postgres.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO binary_file_metadata (id, agent_id, task_id, bucket, object_path, "
                "content_type, size_bytes, sha256, metadata, uploaded_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [row for _, _, row in objects],
            )

    def _put_one(self, found: tuple[str, bytes, tuple[Any, ...]]) -> None:
        path, content, _ = found
        self._minio.put_object(
            Bucket.SCREENSHOTS, path, io.BytesIO(content), len(content), content_type="image/png"
        )


def _batches(items: list[Any]) -> list[list[Any]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def _row(record: ProgressUpdate) -> tuple[Any, ...]:
    return (
        new_id(), record.task_id, record.agent_id, record.step, record.progress_percent,
        record.message, Jsonb(record.data), record.timestamp, record.sequence,
    )  # fmt: skip


def _document(record: LogEntry) -> dict[str, Any]:
    return {
        "_id": new_id(), "agent_id": record.agent_id, "task_id": record.task_id,
        "level": str(record.level), "message": record.message, "data": record.data,
        "created_at": record.created_at,
    }  # fmt: skip


def _row_of_file(upload: Upload) -> tuple[Any, ...]:
    file = upload.file
    return (
        file.id, file.agent_id, file.task_id, str(file.bucket), file.object_path, file.content_type,
        file.size_bytes, file.sha256, Jsonb(file.metadata), file.uploaded_at,
    )  # fmt: skip


if __name__ == "__main__":
    main()
