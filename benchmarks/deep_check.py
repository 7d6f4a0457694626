"""The deep check, against a plain loop that reads and hashes the same objects with the SDK.

Ours reads several objects at a time, keeps in PostgreSQL which are read, and compares each with its
rows and its name. `python -m benchmarks.deep_check N BYTES` takes other numbers.
"""

import io
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

from psutil import Process

from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from benchmarks.measure import seconds, tell
from benchmarks.sandbox import raw_minio, sandbox
from storage import Stores
from storage.deep import DeepReading, DeepStore, Scope
from storage.inventory import InventoryStore, Listing

OBJECTS, BYTES, ROUNDS, FILES_OF_A_TASK = 2_000, 100_000, 3, 100
#: One large object, whose memory would be seen.
LARGE = 256 * 2**20


def main() -> None:
    """Print how many objects a second both read, and the memory that a large one takes."""
    count, size = (int(text) for text in sys.argv[1:3]) if sys.argv[2:] else (OBJECTS, BYTES)
    with sandbox() as (stores, agent_id):
        files = _put(stores, agent_id, [size] * count)
        Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
        _ours(stores)
        rounds = [
            (seconds(lambda: _ours(stores)), seconds(lambda: _raw(stores, files)))
            for _ in range(ROUNDS)
        ]
        ours, raw = (statistics.median(times) for times in zip(*rounds, strict=True))
        told = f"deep check, {count:,} objects of {size:,} bytes"
        tell(f"{told}: objects a second", count / ours, "")
        tell("deep check, plain loop: objects a second", count / raw, "")
        tell(
            "deep check, ours / plain loop",
            statistics.median(b / a for a, b in rounds),
            "",
            least=0.9,
        )
        _memory(stores, agent_id)


def _memory(stores: Stores, agent_id: str) -> None:
    _put(stores, agent_id, [LARGE])
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
    before = Process().memory_info().rss
    _ours(stores)
    grown = (Process().memory_info().rss - before) / 2**20
    tell(f"deep check, memory that {LARGE >> 20} MiB in one object take", grown, "MiB", most=32)


def _ours(stores: Stores) -> None:
    store = DeepStore(stores.postgres)
    for one in store.open(Scope()):
        done = DeepReading(store, stores.minio).read(one)
        if done.objects != done.all_objects:
            raise RuntimeError("not every object was read")
    with stores.postgres.connection() as connection:
        if connection.execute("SELECT FROM content_differences").fetchall():
            raise RuntimeError("something was found in what is whole")


def _raw(stores: Stores, files: list[StoredFile]) -> None:
    client = raw_minio(stores.settings)
    for file in files:
        response = client.get_object(file.bucket.value, file.object_path)
        try:
            digest = sha256()
            for piece in response.stream(2**20):
                digest.update(piece)
        finally:
            response.close()
            response.release_conn()
        if digest.hexdigest() != file.sha256:
            raise RuntimeError(f"{file.object_path} has another content")


def _put(stores: Stores, agent_id: str, sizes: list[int]) -> list[StoredFile]:
    tasks = [
        AgentTask(agent_id=agent_id, title="a task")
        for _ in range(len(sizes) // FILES_OF_A_TASK + 1)
    ]
    client = raw_minio(stores.settings)

    def put(number: int) -> StoredFile:
        content = os.urandom(sizes[number])
        task, digest = tasks[number // FILES_OF_A_TASK], sha256(content).hexdigest()
        path = object_path(agent_id, task.id, digest, ".bin")
        done = client.put_object("binaries", path, io.BytesIO(content), len(content))
        return StoredFile(
            agent_id=agent_id, task_id=task.id, bucket=Bucket.BINARIES, object_path=path,
            content_type="application/octet-stream", size_bytes=len(content), sha256=digest,
            etag=done.etag,
        )  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(put, range(len(sizes))))
    stores.postgres.store_rows(tasks=tasks, files=files)
    return files


if __name__ == "__main__":
    main()
