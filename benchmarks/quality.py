"""The check of the data, against a bare listing of the same buckets and one FULL OUTER JOIN.

Ours lists into PostgreSQL, compares, and asks every check with Great Expectations. The raw way
lists with the SDK, one name after the other, and joins what the inventory holds by then.
`python -m benchmarks.quality N` takes another number of objects.
"""

import io
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256

import psycopg
from minio.deleteobjects import DeleteObject
from psutil import Process

from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from benchmarks.measure import Action, tell
from benchmarks.sandbox import raw_minio, sandbox
from quality.check_files import all_checks
from quality.checking import run_checks
from storage import Stores
from storage.inventory import InventoryStore, Listing

OBJECTS, AGENTS, FILES_OF_A_TASK, ROUNDS = 20_000, 8, 100, 3
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
    count = int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS
    with sandbox() as (stores, agent_id), _filled(stores, agent_id, count):
        # Great Expectations is imported once in the life of a worker.
        imported = _seconds(lambda: _check(stores))
        rounds = [_round(stores) for _ in range(ROUNDS)]
    ours, asked, raw = (statistics.median(times) for times in zip(*rounds, strict=True))
    tell(f"quality, {count:,} objects: inventory and checks", ours, "s")
    tell("quality, bare listing and one join", raw, "s")
    tell("quality, ours / raw", ours / raw, "", most=1.3)
    tell("quality, Great Expectations' share", asked / ours, "")
    tell("quality, the first check with its import", imported, "s")
    tell("quality, memory of the process", Process().memory_info().rss / 2**20, "MB")


def _round(stores: Stores) -> tuple[float, float, float]:
    inventory = _seconds(lambda: _list(stores))
    asked = _seconds(lambda: _check(stores))
    return inventory + asked, asked, _seconds(lambda: _raw(stores))


def _list(stores: Stores) -> None:
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())


def _check(stores: Stores) -> None:
    run_checks(stores.settings.required("postgres_url"), all_checks())


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


def _seconds(action: Action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
