"""Tasks that ended, and were stored, some days ago."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from agentruns.models import AgentTask, utcnow
from storage.stores import Stores
from tests.kept import records_of


def aged(
    stores: Stores, agent_id: str, days: float, number: int = 1, **about: Any
) -> list[AgentTask]:
    """So many tasks with records of every kind, each a second younger than the one before."""
    ended = utcnow() - timedelta(days=days)
    tasks = [
        AgentTask(
            agent_id=agent_id,
            title=f"task {n}",
            created_at=ended + timedelta(seconds=n),
            status_at=ended + timedelta(seconds=n),
            **({"status": "completed"} | about),
        )
        for n in range(number)
    ]
    records = [record for task in tasks for record in records_of(task)]
    assert stores.writer.write(records).rejected == ()
    stored(stores, tasks, days)
    return tasks


def stored(stores: Stores, tasks: Sequence[AgentTask], days: float) -> None:
    """Have the last record of some tasks stored so many days ago."""
    with stores.postgres.connection() as connection:
        connection.execute(
            "UPDATE tasks SET evidence_at = now() - %s WHERE id = ANY(%s)",
            [timedelta(days=days), [task.id for task in tasks]],
        )
