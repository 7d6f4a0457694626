"""The check of the data, against a bare listing of the same buckets and one FULL OUTER JOIN.

Ours lists into PostgreSQL, compares, and asks every check with Great Expectations. The raw way
lists with the SDK, one name after the other, and joins what the inventory holds by then.
`python -m benchmarks.quality N` takes another number of objects, `--full` a million.
"""

import io
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from threading import Event
from typing import NamedTuple

import psycopg
from minio.deleteobjects import DeleteObject
from psutil import Process

from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from benchmarks.measure import seconds, tell
from benchmarks.sandbox import raw_minio, sandbox
from quality.check_files import all_checks
from quality.checking import run_checks
from storage import Stores
from storage.inventory import InventoryStore, Listing

OBJECTS, FULL, AGENTS, FILES_OF_A_TASK, ROUNDS = 20_000, 1_000_000, 8, 100, 3
JOIN = """
    SELECT count(*)
    FROM binary_file_metadata AS file
    FULL OUTER JOIN object_inventory AS object
        ON object.bucket = file.bucket AND object.object_path = file.object_path
    WHERE object.snapshot_id = (SELECT id FROM newest_inventory)
        AND (file.id IS NULL OR object.object_path IS NULL OR file.size_bytes <> object.size_bytes)
"""


def main() -> None:
    """Print the ratio and where our time goes."""
    asked = sys.argv[1:]
    count = FULL if "--full" in asked else int(asked[0]) if asked else OBJECTS
    with sandbox() as (stores, agent_id), _filled(stores, agent_id, count):
        # Great Expectations is imported once in the life of a worker.
        imported = seconds(lambda: _check(stores))
        rounds = [_round(stores) for _ in range(ROUNDS)]
    tell(f"quality, {count:,} objects: inventory and checks", _median(rounds, "ours"), "s")
    tell("quality, bare listing and one join", _median(rounds, "raw"), "s")
    tell(
        "quality, ours / raw", statistics.median(one.ours / one.raw for one in rounds), "", most=1.3
    )
    tell(
        "quality, asking the checks", statistics.median(one.asked / one.ours for one in rounds), ""
    )
    share = statistics.median((one.asked - one.bare) / one.ours for one in rounds)
    tell("quality, of that what Great Expectations adds to the queries", share, "")
    tell("quality, the first check with its import", imported, "s")
    tell(
        "quality, memory that a check takes for its time",
        max(one.megabytes for one in rounds),
        "MB",
    )


class _Round(NamedTuple):
    """Seconds of each way, in the same minute."""

    ours: float
    asked: float
    """What of ours was spent in asking the checks."""
    bare: float
    """The same queries without Great Expectations."""
    raw: float
    megabytes: float


def _median(rounds: Sequence[_Round], name: str) -> float:
    return statistics.median(getattr(one, name) for one in rounds)


def _round(stores: Stores) -> _Round:
    with _growth() as grown:
        listed = seconds(lambda: _list(stores))
        asked = seconds(lambda: _check(stores))
    bare = seconds(lambda: _check_bare(stores))
    return _Round(listed + asked, asked, bare, seconds(lambda: _raw(stores)), max(grown))


@contextmanager
def _growth() -> Iterator[list[float]]:
    """How many megabytes more than at the beginning this process has, every 20 ms."""
    process, ended = Process(), Event()
    before, grown = process.memory_info().rss, [0.0]

    def watch() -> None:
        while not ended.wait(0.02):
            grown.append((process.memory_info().rss - before) / 2**20)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch)
        try:
            yield grown
        finally:
            ended.set()


def _list(stores: Stores) -> None:
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())


def _check(stores: Stores) -> None:
    run_checks(stores.settings.required("postgres_url"), all_checks())


def _check_bare(stores: Stores) -> None:
    with psycopg.connect(stores.settings.required("postgres_url")) as connection:
        for check in all_checks():
            connection.execute(check.sql.encode())


def _raw(stores: Stores) -> None:
    client = raw_minio(stores.settings)
    found = sum(1 for bucket in Bucket for _ in client.list_objects(bucket.value, recursive=True))
    with psycopg.connect(stores.settings.required("postgres_owner_url")) as connection:
        connection.execute(JOIN)
    if not found:
        raise RuntimeError("nothing was listed")


@contextmanager
def _filled(stores: Stores, agent_id: str, count: int) -> Iterator[None]:
    """So many objects and rows of several agents, a hundred to a task; they go at the end."""
    tasks = [
        AgentTask(agent_id=f"{agent_id}-{number % AGENTS}", title="a task")
        for number in range(max(1, count // FILES_OF_A_TASK))
    ]
    client = raw_minio(stores.settings)

    def put(number: int) -> StoredFile:
        file = _file(tasks[number % len(tasks)], number)
        done = client.put_object(file.bucket.value, file.object_path, io.BytesIO(b"x"), 1)
        return file.model_copy(update={"etag": done.etag})

    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(put, range(count)))
    try:
        stores.postgres.store_rows(tasks=tasks, files=files)
        yield
    finally:
        doomed = (DeleteObject(file.object_path) for file in files)
        if failed := list(client.remove_objects("screenshots", doomed)):
            raise RuntimeError(f"{len(failed)} objects could not be deleted")


def _file(task: AgentTask, number: int) -> StoredFile:
    digest = sha256(str(number).encode()).hexdigest()
    return StoredFile(
        agent_id=task.agent_id,
        task_id=task.id,
        bucket=Bucket.SCREENSHOTS,
        object_path=object_path(task.agent_id, task.id, digest, ".png"),
        content_type="image/png",
        size_bytes=1,
        sha256=digest,
    )


if __name__ == "__main__":
    main()
