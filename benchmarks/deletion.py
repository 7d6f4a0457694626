"""What deleting costs: many tasks one by one and together, one agent, and the tombstones' share.

`python -m benchmarks.deletion N` takes another number of objects for the agent that goes. Raw is a
listing and a removal with the SDK, which leaves rows, documents and keys.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from minio.deleteobjects import DeleteObject
from psutil import Process

from agentruns.models import AgentTask, AnyRecord, Bucket, Upload, new_ids, utcnow
from benchmarks.measure import Action, compare, seconds, show, tell
from benchmarks.record_writer import Maker
from benchmarks.sandbox import raw_minio, sandbox
from storage import Stores
from storage.deletion import Deleting, Finishing
from storage.minio.describing import described
from storage.retention import Policies, Policy, Retaining

OBJECTS, OBJECTS_OF_A_TASK, TASKS, TOMBSTONES = 5_000, 100, 200, 100_000
#: Rows of a batch, and how many batches are timed at once.
SIZES = ((1_000, 20), (1, 400))
_WITH_TOMBSTONES = ("tasks", "task_progress", "binary_file_metadata")


def main() -> None:
    """Print what each takes."""
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS
    with sandbox() as (stores, agent_id):
        _many_tasks(stores, agent_id)
        _one_agent(stores, f"{agent_id}-a", objects)
        _tombstones(stores, agent_id)


def _many_tasks(stores: Stores, agent_id: str) -> None:
    with Deleting(stores.settings) as deleting:
        tasks = _filled(stores, agent_id, TASKS, 2)
        alone = seconds(lambda: [deleting.delete_task(task.id) for task in tasks])
    _filled(stores, agent_id, TASKS, 2)
    Policies(stores.postgres).put(Policy(name="old", older_than=timedelta(hours=1)))
    with Retaining(stores.settings) as retaining:
        together = seconds(retaining.apply)
    with Deleting(stores.settings) as deleting:
        swept = seconds(Finishing(deleting).finish)
    tell(f"deletion: {TASKS} tasks, one by one", TASKS / alone, "tasks/s")
    tell(f"deletion: {TASKS} tasks, by a policy", TASKS / together, "tasks/s")
    tell(f"deletion: {2 * TASKS} finished ones searched for again", swept, "s")


def _one_agent(stores: Stores, agent_id: str, objects: int) -> None:
    def fill() -> None:
        _filled(stores, agent_id, objects // OBJECTS_OF_A_TASK, OBJECTS_OF_A_TASK)

    fill()
    client = raw_minio(stores.settings)

    def raw() -> None:
        for bucket in Bucket:
            found = client.list_objects(bucket.value, f"{agent_id}/", recursive=True)
            doomed = (DeleteObject(each.object_name or "") for each in found)
            if list(client.remove_objects(bucket.value, doomed)):
                raise RuntimeError("some objects stay")

    theirs = seconds(raw)
    with Deleting(stores.settings) as deleting:
        deleting.delete_agent(agent_id)
        other = f"{agent_id}b"
        _filled(stores, other, objects // OBJECTS_OF_A_TASK, OBJECTS_OF_A_TASK)
        ours = seconds(lambda: deleting.delete_agent(other))
    tell(f"deletion: an agent with {objects:,} objects, all stores", ours, "s")
    tell("deletion: the same objects with the SDK, nothing else", theirs, "s")
    tell("deletion: memory of the process", Process().memory_info().rss / 2**20, "MB")


def _tombstones(stores: Stores, agent_id: str) -> None:
    """Rows written beside many tombstones, and the same with the triggers switched off."""
    tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(100)]
    stores.postgres.store_rows(tasks=tasks)
    make = Maker(agent_id, tasks)
    owner_url = stores.settings.required("postgres_owner_url")
    with psycopg.connect(owner_url, autocommit=True) as owner:
        _bury(owner, agent_id)
        for size, count in SIZES:

            def prepare(size: int = size, count: int = count) -> tuple[Action, Action]:
                ours, raw = ([make.progress(size) for _ in range(count)] for _ in range(2))

                def without() -> None:
                    with _switched_off(owner):
                        for batch in raw:
                            stores.postgres.store_rows(progress=batch)

                return (
                    lambda: [stores.postgres.store_rows(progress=batch) for batch in ours],
                    without,
                )

            found = compare(prepare, size * count)
            show(f"tombstones: {TOMBSTONES:,}, {size:,} a time", found, "rows/s", 0.9)


@contextmanager
def _switched_off(owner: "psycopg.Connection[tuple[object, ...]]") -> Iterator[None]:
    for table in _WITH_TOMBSTONES:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER not_deleted".encode())
    try:
        yield
    finally:
        for table in _WITH_TOMBSTONES:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER not_deleted".encode())


def _bury(owner: "psycopg.Connection[tuple[object, ...]]", agent_id: str) -> None:
    owner.execute(
        "INSERT INTO deletions (id, agent_id, task_id, finished_at)"
        " SELECT id, %s, id, now() FROM unnest(%s::uuid[]) AS id",
        [agent_id, new_ids(TOMBSTONES)],
    )
    owner.execute(
        "INSERT INTO deleted_tasks (task_id, agent_id, deletion_id)"
        " SELECT task_id, agent_id, id FROM deletions WHERE task_id IS NOT NULL"
        " ON CONFLICT DO NOTHING"
    )


def _filled(stores: Stores, agent_id: str, tasks: int, pictures: int) -> list[AgentTask]:
    """Ended tasks of long ago, each with pictures and a step for each of them."""
    ended = utcnow() - timedelta(days=30)
    about = {"agent_id": agent_id, "status": "completed", "created_at": ended, "status_at": ended}
    made = [AgentTask(title="a task", **about) for _ in range(tasks)]
    for task in made:
        records: list[AnyRecord] = [_picture(task, number) for number in range(pictures)]
        stores.writer.write([task, *Maker(agent_id, [task]).progress(pictures), *records])
    with stores.postgres.connection() as connection:
        connection.execute(
            "UPDATE tasks SET evidence_at = now() - interval '30 days' WHERE agent_id = %s",
            [agent_id],
        )
    return made


def _picture(task: AgentTask, number: int) -> Upload:
    content = b"\x89PNG\r\n\x1a\n%d" % number
    file = described(
        content, Bucket.SCREENSHOTS, agent_id=task.agent_id, task_id=task.id, metadata={}
    )
    return Upload(file=file, content=content)


if __name__ == "__main__":
    main()
