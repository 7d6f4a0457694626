"""What the stores know about a batch of tasks, as evidence that scorers understand."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.models import Status
from agentruns.scoring import LogCounts, Scorer, TaskEvidence, select_scorers
from storage.acts import Act
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query

#: About a second of work; measured by `benchmarks/evaluation_pass.py`.
BATCH_SIZE = 10_000
#: What a batch may take on a server that is busy with other things.
BATCH_SECONDS = 120.0
#: What is read at once, while the piece before it is judged.
PIECE = 1_000

_Row = tuple[Any, ...]
#: Columns of `evidence_of_batch`: whether a verdict is missing, and whether there was room.
_DUE, _GATHERED = -4, -3


class TaskKey(NamedTuple):
    """A task in the order in which passes go through the tasks."""

    agent_id: str
    task_id: UUID


#: Before every task.
START = TaskKey("", UUID(int=0))


@dataclass(frozen=True, slots=True)
class PassOrder:
    """What a pass is to do."""

    scorers: tuple[str, ...]
    agent_id: str | None = None
    """Only the tasks of this agent."""
    since: datetime | None = None
    """Only tasks with evidence since then."""
    force: bool = False
    """Judge also what has been judged on all its evidence."""
    batch_size: int = BATCH_SIZE

    def selected(self) -> tuple[Scorer, ...]:
        """The scorers themselves."""
        return select_scorers(self.scorers)


class BatchTask(NamedTuple):
    """One task of a batch."""

    key: TaskKey
    known: Mapping[str, float | None]
    """By scorer, the newest verdicts that cover all its evidence."""
    evidence: TaskEvidence | None
    """None where every scorer's verdict is known."""
    is_new: bool
    """Nobody has ever judged it."""


class Piece(NamedTuple):
    """Some tasks of a batch."""

    tasks: list[BatchTask]
    last: bool
    """There are no tasks after these."""


def gather(
    postgres: PostgresAdapter, mongo: MongoAdapter, order: PassOrder, after: TaskKey, room: int
) -> Iterator[Piece]:
    """The next ended tasks after one, `order.batch_size` at most, piece by piece.

    Those with a verdict missing come with their evidence, and are `room` at most.
    """
    left = order.batch_size
    while left > 0 and room > 0:
        rows = _rows(postgres, order, after, min(left, PIECE), room)
        taken = list(takewhile(lambda row: row[_GATHERED] or not row[_DUE], rows))
        # PostgreSQL was asked first: a writer stores logs first and says so in PostgreSQL last,
        # so what is missed here is found by the next pass.
        wanted = [row for row in taken if row[_GATHERED]]
        logs = _audited_logs(postgres, mongo, wanted)
        tasks = [_batch_task(row, logs) for row in taken]
        last = len(rows) < min(left, PIECE)
        yield Piece(tasks, last)
        if last or not tasks:
            return
        after = tasks[-1].key
        left -= len(tasks)
        room -= sum(task.evidence is not None for task in tasks)


def _rows(
    postgres: PostgresAdapter, order: PassOrder, after: TaskKey, size: int, room: int
) -> list[_Row]:
    scorers = order.selected()
    parameters = {
        "after_agent_id": after.agent_id,
        "after_task_id": after.task_id,
        "agent_id": order.agent_id,
        "since": order.since,
        "force": order.force,
        "scorers": [scorer.name for scorer in scorers],
        "versions": [scorer.version for scorer in scorers],
        "size": size,
        "room": min(size, room),
    }
    with postgres.connection(BATCH_SECONDS) as connection:
        # Compiling the query takes a second each time, running it a fraction of that.
        connection.execute("SET LOCAL jit = off")
        return connection.execute(query("evidence_of_batch"), parameters).fetchall()


def _audited_logs(
    postgres: PostgresAdapter, mongo: MongoAdapter, rows: Sequence[_Row]
) -> dict[UUID, LogCounts]:
    """The logs of these tasks, read only once the audit log says of whom."""
    if not rows:
        return {}
    postgres.audit("logs read", [Act(agent_id, task_id) for task_id, agent_id, *_ in rows])
    return _logs(mongo, rows)


def _logs(mongo: MongoAdapter, rows: Iterable[_Row]) -> dict[UUID, LogCounts]:
    by_agent: dict[str, list[UUID]] = defaultdict(list)
    for task_id, agent_id, *_ in rows:
        by_agent[agent_id].append(task_id)
    return {
        task_id: LogCounts(*(levels.get(level, 0) for level in LogCounts._fields))
        for agent_id, task_ids in by_agent.items()
        for task_id, levels in mongo.count_logs(agent_id, task_ids).items()
    }


def _batch_task(row: _Row, logs: dict[UUID, LogCounts]) -> BatchTask:
    task_id, agent_id, status, *facts, is_new, _, gathered, scorers, scores = row
    known = dict(zip(scorers or (), scores or (), strict=True))
    if not gathered:
        return BatchTask(TaskKey(agent_id, task_id), known, None, is_new)
    # The columns have the order of the fields.
    told = [task_id, agent_id, Status(status), *facts, logs.get(task_id, LogCounts())]
    return BatchTask(TaskKey(agent_id, task_id), known, TaskEvidence(*told), is_new)
