"""What the tests of the delivery write into spools, and how they look at what arrived."""

import os
import subprocess
import sys
from collections import Counter
from typing import Any

from agentruns.models import AgentTask, AnyRecord, LogEntry, Memory, ProgressUpdate, Status
from agentruns.spool import Session, Spool
from storage.stores import Stores
from tests.integration.test_writer import upload

PNG = b"\x89PNG\r\n\x1a\n"


def a_task(agent_id: str, **fields: Any) -> AgentTask:
    return AgentTask(agent_id=agent_id, title="a task", **{"status": Status.IN_PROGRESS} | fields)


def records_of(task: AgentTask, number: int, pictures: int = 5) -> list[AnyRecord]:
    """A task with so many log entries and steps, a memory and some screenshots."""
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    return [
        task,
        *(LogEntry(**about, message=f"line {n}") for n in range(number)),
        *(ProgressUpdate(**about, step=n) for n in range(number)),
        Memory(**about, content="worth knowing"),
        *(upload(task, PNG + b"%d" % n, step=n) for n in range(pictures)),
    ]


def written(spool: Spool, records: list[AnyRecord]) -> None:
    """Have the records in the spool, as a session that has ended."""
    session = Session(spool)
    session.append(records)
    session.close()


def stored(stores: Stores, task: AgentTask) -> Counter[str]:
    """How much of a task is in each store."""
    agent_id, task_id = task.agent_id, task.id
    with stores.postgres.connection() as connection:
        rows = {
            table: connection.execute(  # one of our own three tables
                f"SELECT count(*) FROM {table} WHERE {key} = %s",  # type: ignore[arg-type]
                [task_id],
            ).fetchall()[0][0]
            for table, key in (
                ("tasks", "id"), ("task_progress", "task_id"), ("binary_file_metadata", "task_id")
            )
        }  # fmt: skip
    counts = stores.mongo.count_logs(agent_id, [task_id]).get(task_id, {})
    return Counter(
        tasks=rows["tasks"],
        progress=rows["task_progress"],
        files=rows["binary_file_metadata"],
        logs=sum(counts.values()),
        memories=len(stores.mongo.read_memories(agent_id=agent_id, task_id=task_id)),
        objects=len(list(stores.minio.list("screenshots", f"{agent_id}/{task_id}/"))),
    )


def everything(number: int, pictures: int = 5) -> Counter[str]:
    """What is in the stores when all of `records_of` has arrived once."""
    return Counter(
        tasks=1, progress=number, logs=number, memories=1, files=pictures, objects=pictures
    )


def delivery_process(spool: Spool, *options: str, **named: Any) -> subprocess.Popen[str]:
    """The process that a recorder starts."""
    command = [sys.executable, "-P", "-m", "storage.delivery", str(spool.folder), *options]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=dict(os.environ), **named
    )
