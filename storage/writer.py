"""Writing batches of mixed records into the three stores, in an order that never lies.

Objects go first, then logs and memories, then the PostgreSQL rows that point at them: whatever
is cut off in the middle, no row promises an object that is not there. Repeating changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from agentruns.models import AnyRecord, LogEntry, Memory, StoredFile, Upload
from agentruns.models.kinds import COUNTED_AS
from storage.batches import Batch, batches
from storage.errors import RecordRejected
from storage.minio import MinIOAdapter
from storage.mongo import MongoAdapter
from storage.mongo.bulk import Refused
from storage.postgres.adapter import PostgresAdapter
from storage.rejection import Rejection
from storage.rows import Rows, store_rows

Item = TypeVar("Item")
Result = TypeVar("Result")
Said = TypeVar("Said", LogEntry, Memory)
#: What makes two objects the same: bucket, path and size.
_Object = tuple[str, str, int]

#: More threads bring no more objects a second, measured.
_THREADS = 8
#: The driver has up to 5 MiB of an object in memory; fewer threads are enough to keep it busy.
_LARGE_BYTES = 2**20
_THREADS_FOR_LARGE = 2

#: Tasks with news that may wait for a transaction; beyond that they get one of their own.
_MOST_NEWS = 10_000


@dataclass(frozen=True, slots=True)
class Written:
    """How many records of each kind are in the stores now, and which were refused for good."""

    tasks: int = 0
    progress: int = 0
    logs: int = 0
    memories: int = 0
    files: int = 0
    evaluations: int = 0
    rejected: tuple[Rejection, ...] = ()

    def __add__(self, other: "Written") -> "Written":
        names = (*COUNTED_AS.values(), "rejected")
        return Written(**{name: getattr(self, name) + getattr(other, name) for name in names})


class RecordWriter:
    """Puts records where they belong."""

    def __init__(self, postgres: PostgresAdapter, mongo: MongoAdapter, minio: MinIOAdapter) -> None:
        self._postgres = postgres
        self._mongo = mongo
        self._minio = minio

    def write(self, records: Iterable[AnyRecord]) -> Written:
        """Store all of them, however many; those refused for good are named in the answer.

        Raises:
            StoreUnavailable: when a store is away; write the same records again later.
        """
        news: set[UUID] = set()
        written = sum((self._write(batch, news) for batch in batches(records)), Written())
        store_rows(self._keep, {}, news)
        return written

    def _write(self, batch: Batch, news: set[UUID]) -> Written:
        """Write one batch; without rows of its own, its news waits for the next transaction."""
        files, lost = put_objects(self._minio, batch.uploads)
        unsaid = store_said(self._mongo, batch.logs, batch.memories)
        rows: Rows = {
            "tasks": batch.tasks,
            "progress": batch.progress,
            "files": files,
            "evaluations": batch.evaluations,
        }
        news |= _news(batch)
        refused: list[Rejection] = []
        if any(rows.values()) or len(news) > _MOST_NEWS:
            refused = store_rows(self._keep, rows, news)
            news.clear()
        return _written(batch, (*lost, *unsaid, *refused))

    def _keep(self, **rows: Any) -> None:
        self._postgres.store_rows(**rows)


class PutResult(NamedTuple):
    """The rows of the objects that are in the store now, and what was refused."""

    files: list[StoredFile]
    rejected: list[Rejection]


def put_objects(minio: MinIOAdapter, uploads: Sequence[Upload]) -> PutResult:
    """Put the contents of many rows, several at a time; none of the rows is registered.

    Raises:
        StoreUnavailable: when the store is away; what was put stands.
    """
    # Frames in which nothing moved are one object with several rows.
    unique = {_object(upload): upload for upload in uploads}
    etags: dict[_Object, str | RecordRejected | None] = {}
    for threads, is_one in ((_THREADS, _is_small), (_THREADS_FOR_LARGE, _is_large)):
        some = [upload for upload in unique.values() if is_one(upload)]
        found = in_parallel(partial(_etag, minio), some, threads)
        etags.update(zip(map(_object, some), found, strict=True))
    put = PutResult([], [])
    for upload in uploads:
        match etags[_object(upload)]:
            case RecordRejected() as error:
                put.rejected.append(Rejection("StoredFile", upload.file.id, str(error)))
            case etag:
                put.files.append(upload.file.model_copy(update={"etag": etag}))
    return put


def store_said(
    mongo: MongoAdapter, logs: Sequence[LogEntry], memories: Sequence[Memory]
) -> list[Rejection]:
    """Store what agents said, each in its own database; tells what was refused.

    Raises:
        StoreUnavailable: when a store is away; the same may be stored again.
    """
    return _say(mongo.store_logs, logs) + _say(mongo.store_memories, memories)


def _etag(minio: MinIOAdapter, upload: Upload) -> str | RecordRejected | None:
    try:
        return minio.put(upload).etag
    except RecordRejected as error:
        return error


def _say(
    store: Callable[[str, list[Said]], list[Refused]], said: Sequence[Said]
) -> list[Rejection]:
    by_agent: dict[str, list[Said]] = {}
    for record in said:
        by_agent.setdefault(record.agent_id, []).append(record)
    answers = in_parallel(lambda agent_id: store(agent_id, by_agent[agent_id]), by_agent)
    kind = type(said[0]).__name__ if said else ""
    return [Rejection(kind, *refused) for answer in answers for refused in answer]


def in_parallel(
    act: Callable[[Item], Result], items: Collection[Item], threads: int = _THREADS
) -> list[Result]:
    """Do the same with each item, several at a time; the first error ends it."""
    if len(items) <= 1:
        return [act(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix="writer") as pool:
        # `map` cancels what has not begun when one of them fails.
        return list(pool.map(act, items))


def _is_large(upload: Upload) -> bool:
    return upload.file.size_bytes > _LARGE_BYTES


def _is_small(upload: Upload) -> bool:
    return not _is_large(upload)


def _object(upload: Upload) -> _Object:
    return upload.file.bucket, upload.file.object_path, upload.file.size_bytes


def _news(batch: Batch) -> set[UUID]:
    """The tasks about which something was stored outside PostgreSQL."""
    said: tuple[LogEntry | Memory, ...] = (*batch.logs, *batch.memories)
    return {record.task_id for record in said if record.task_id is not None}


def _written(batch: Batch, rejected: tuple[Rejection, ...]) -> Written:
    refused = Counter(COUNTED_AS[rejection.kind] for rejection in rejected)
    sizes = {
        "tasks": len(batch.tasks),
        "progress": len(batch.progress),
        "logs": len(batch.logs),
        "memories": len(batch.memories),
        "files": len(batch.uploads),
        "evaluations": len(batch.evaluations),
    }
    counts = {name: size - refused[name] for name, size in sizes.items()}
    return Written(**counts, rejected=rejected)
