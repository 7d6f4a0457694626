"""One task's screenshots: asking the metadata, against listing the object store.

The agent has 2,000 objects in MinIO, 50 of them of the task that is asked for; the table has
200,000 rows. Listing by agent is what one does when the task is not part of the object's name.
"""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from uuid import UUID

import psycopg

from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from benchmarks.measure import Action, compare, show
from benchmarks.sandbox import raw_minio, sandbox
from storage import Stores

ROWS, TASKS, FILES_OF_A_TASK = 200_000, 40, 50
FILL = """
    INSERT INTO binary_file_metadata
        (id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, uploaded_at)
    SELECT gen_random_uuid(), agent, %(task_id)s, 'screenshots',
        agent || '/' || number || '.png', 'image/png', 100, repeat('0', 64),
        now() - number * interval '1 second'
    FROM generate_series(1, %(rows)s) AS number,
        LATERAL (SELECT 'other-' || number %% 500) AS a (agent)
"""


def main() -> None:
    """Print both ratios."""
    with sandbox() as (stores, agent_id):
        task = _fill(stores, agent_id)
        client = raw_minio(stores.settings)

        def asked() -> None:
            found = stores.postgres.get_binary_files(bucket="screenshots", task_id=task, limit=100)
            _expect(len(found))

        def listed(prefix: str) -> Action:
            return lambda: _expect(
                sum(
                    f"/{task}/" in (each.object_name or "")
                    for each in client.list_objects("screenshots", prefix=prefix, recursive=True)
                )
            )

        for name, prefix in (("task", f"{agent_id}/{task}/"), ("agent", f"{agent_id}/")):
            found = compare(lambda prefix=prefix: (asked, listed(prefix)), 1, rounds=15)
            show(f"metadata query, listing by {name}", found, "queries/s")


def _fill(stores: Stores, agent_id: str) -> UUID:
    tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(TASKS)]
    other = AgentTask(agent_id="other", title="everybody else's")
    stores.writer.write([*tasks, other])
    files = [file for task in tasks for file in _files(agent_id, task.id)]
    client = raw_minio(stores.settings)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda f: client.put_object(f.bucket, f.object_path, io.BytesIO(b"x"), 1), files
            )
        )
    stores.postgres.store_rows(files=files)
    with psycopg.connect(
        stores.settings.required("postgres_owner_url"), autocommit=True
    ) as connection:
        connection.execute(FILL, {"task_id": other.id, "rows": ROWS - len(files)})
        connection.execute("ANALYZE binary_file_metadata")
    return tasks[TASKS // 2].id


def _files(agent_id: str, task_id: UUID) -> Iterator[StoredFile]:
    for number in range(FILES_OF_A_TASK):
        digest = sha256(f"{task_id} {number}".encode()).hexdigest()
        yield StoredFile(
            agent_id=agent_id,
            task_id=task_id,
            bucket=Bucket.SCREENSHOTS,
            object_path=object_path(agent_id, task_id, digest, ".png"),
            content_type="image/png",
            size_bytes=1,
            sha256=digest,
        )


def _expect(found: int) -> None:
    if found != FILES_OF_A_TASK:
        raise RuntimeError(f"{found} files were found where there are {FILES_OF_A_TASK}")


if __name__ == "__main__":
    main()
