"""What the stores know about a batch of tasks, as evidence that scorers understand."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.models import Status
from agentruns.scoring import LogCounts, Scorer, TaskEvidence, select_scorers
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query

#: About a second of work; measured by `benchmarks/evaluation_pass.py`.
BATCH_SIZE = 5_000
#: What a batch may take on a server that is busy with other things.
BATCH_SECONDS = 120.0
#: The columns of `evidence_of_batch` that are not evidence: known scorers and their scores.
_KNOWN = slice(-2, None)
_UPDATES = 8


class Place(NamedTuple):
    """A task in the order in which passes go through the tasks."""

    agent_id: str
    task_id: UUID


#: Before every task.
START = Place("", UUID(int=0))


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


class Seen(NamedTuple):
    """One task of a batch."""

    place: Place
    known: Mapping[str, float | None]
    """By scorer, the verdicts that cover all its evidence."""
    evidence: TaskEvidence | None
    """None where every scorer's verdict is known."""


def gather(
    postgres: PostgresAdapter, mongo: MongoAdapter, order: PassOrder, after: Place, room: int
) -> tuple[list[Seen], bool]:
    """The next ended tasks after a place, and whether these are the last.

    Those with a verdict missing come with their evidence, and are `room` at most.
    """
    rows = _rows(postgres, order, after, room)
    scorers = len(order.scorers)
    taken = list(takewhile(lambda row: _is_known(row, scorers) or _is_gathered(row), rows))
    # PostgreSQL was asked first: a writer stores logs first and says so in PostgreSQL last, so
    # what is missed here is found by the next pass.
    logs = _logs(mongo, (row for row in taken if _is_gathered(row)))
    return [_seen(row, logs) for row in taken], len(rows) < order.batch_size


def _rows(
    postgres: PostgresAdapter, order: PassOrder, after: Place, room: int
) -> list[tuple[Any, ...]]:
    scorers = order.selected()
    parameters = {
        "after_agent_id": after.agent_id,
        "after_task_id": after.task_id,
        "agent_id": order.agent_id,
        "since": order.since,
        "force": order.force,
        "scorers": [scorer.name for scorer in scorers],
        "versions": [scorer.version for scorer in scorers],
        "size": order.batch_size,
        "room": min(room, order.batch_size),
    }
    with postgres.connection(BATCH_SECONDS) as connection:
        # Compiling the query takes a second each time, running it a fraction of that.
        connection.execute("SET LOCAL jit = off")
        return connection.execute(query("evidence_of_batch"), parameters).fetchall()


def _is_known(row: tuple[Any, ...], scorers: int) -> bool:
    return len(row[_KNOWN][0] or ()) == scorers


def _is_gathered(row: tuple[Any, ...]) -> bool:
    return row[_UPDATES] is not None


def _logs(mongo: MongoAdapter, rows: Iterator[tuple[Any, ...]]) -> dict[UUID, LogCounts]:
    by_agent: dict[str, list[UUID]] = defaultdict(list)
    for task_id, agent_id, *_ in rows:
        by_agent[agent_id].append(task_id)
    return {
        task_id: LogCounts(*(levels.get(level, 0) for level in LogCounts._fields))
        for agent_id, task_ids in by_agent.items()
        for task_id, levels in mongo.count_logs(agent_id, task_ids).items()
    }


def _seen(row: tuple[Any, ...], logs: dict[UUID, LogCounts]) -> Seen:
    task_id, agent_id, status, *facts, scorers, scores = row
    known = dict(zip(scorers or (), scores or (), strict=True))
    if not _is_gathered(row):
        return Seen(Place(agent_id, task_id), known, None)
    # The columns have the order of the fields.
    told = [task_id, agent_id, Status(status), *facts, logs.get(task_id, LogCounts())]
    return Seen(Place(agent_id, task_id), known, TaskEvidence(*told))
