"""Evaluation passes: every ended task is judged once by each scorer on all its evidence."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from heapq import nsmallest
from typing import Any, NamedTuple, Self
from uuid import UUID

from psycopg.rows import class_row
from pydantic_core import to_json

from agentruns.models import new_ids, utcnow
from agentruns.scoring import Score, Scorer, Tally, TaskEvidence, judge
from storage.errors import RecordRejected, StoreUnavailable
from storage.evidence import BATCH_SECONDS, START, BatchTask, PassOrder, Piece, TaskKey, gather
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retries import retried

#: Any number that nobody else locks: "evaluate" in ASCII.
_LOCK = 0x6576616C75617465
_SECONDS_BETWEEN_TRIES = 0.5
#: No pass takes longer.
_PASS_SECONDS = 24 * 3600.0
#: How many of the worst tasks are kept for the report.
WORST = 10


class Counts(NamedTuple):
    """Tasks of a pass; `eligible` is the sum of the others."""

    eligible: int
    """Ended tasks that the pass looked at."""
    evaluated: int
    """Judged by every scorer whose verdict was missing."""
    skipped: int
    """Judged on all their evidence before."""
    failed: int
    """At least one scorer could not judge; the others' verdicts are stored."""


@dataclass(slots=True)
class BatchResult:
    """What came of some tasks; batches add up."""

    reached: TaskKey | None = START
    """The last task; None when no task is left."""
    evaluated: int = 0
    skipped: int = 0
    failed: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By scorer, the verdicts on these tasks that hold now."""
    worst: list[tuple[float, UUID]] = field(default_factory=list)
    """The lowest scores of the last scorer, and their tasks."""

    @property
    def judged(self) -> int:
        """Tasks of which a verdict was missing."""
        return self.evaluated + self.failed

    def __iadd__(self, other: Self) -> Self:
        self.reached = other.reached
        self.evaluated += other.evaluated
        self.skipped += other.skipped
        self.failed += other.failed
        for scorer, tally in other.tallies.items():
            self.tallies.setdefault(scorer, Tally()).__iadd__(tally)
        self.worst = nsmallest(WORST, self.worst + other.worst)
        return self


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """One scorer's verdict beside the task that it is about."""

    id: UUID
    agent_id: str
    title: str
    status: str
    score: float | None
    report: str


class EvaluationStore:
    """Reads the evidence of tasks from both databases and keeps the verdicts on them."""

    def __init__(self, postgres: PostgresAdapter, mongo: MongoAdapter) -> None:
        self._postgres = postgres
        self._mongo = mongo

    @contextmanager
    def only_pass(self, wait_seconds: float) -> Iterator[None]:
        """Be the only pass while this lasts; the end of the process ends it, too.

        Raises:
            StoreUnavailable: when another pass is still running after `wait_seconds`.
        """
        with self._postgres.connection(_PASS_SECONDS) as connection:
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            _lock(connection, time.monotonic() + wait_seconds)
            yield

    @retried
    def open_pass(self, pass_id: UUID, order: PassOrder) -> None:
        """Note that a pass begins."""
        told = asdict(order)
        told["since"] = order.since and order.since.isoformat()
        versions = {scorer.name: scorer.version for scorer in order.selected()}
        with self._postgres.connection() as connection:
            connection.execute(
                query("open_pass"),
                {"id": pass_id, "scorers": versions, "parameters": told},
            )

    @retried
    def evaluate_batch(
        self, pass_id: UUID, order: PassOrder, after: TaskKey, room: int
    ) -> BatchResult:
        """Judge the next tasks after one, `room` at most; doing it again changes nothing."""
        try:
            return self._evaluate(_store_quickly, pass_id, order, after, room)
        except RecordRejected:
            # Somebody stored the same verdict, or deleted a task, in this moment.
            return self._evaluate(_merge, pass_id, order, after, room)

    @retried
    def close_pass(self, pass_id: UUID, errors: Mapping[str, str]) -> Counts:
        """Note that a pass is over, and which scorers failed with which error."""
        with self._postgres.connection() as connection, connection.cursor() as cursor:
            cursor.execute(query("close_pass"), {"id": pass_id, "errors": dict(errors)})
            return Counts(*cursor.fetchall()[0])

    @retried
    def verdicts_of(self, task_ids: Sequence[UUID], scorer: Scorer) -> list[TaskVerdict]:
        """The newest verdicts of a scorer on these tasks, the worst first."""
        told = {"ids": list(task_ids), "scorer": scorer.name, "version": scorer.version}
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(TaskVerdict)) as cursor,
        ):
            return cursor.execute(query("verdicts_of_tasks"), told).fetchall()

    def _evaluate(
        self, store: "_Store", pass_id: UUID, order: PassOrder, after: TaskKey, room: int
    ) -> BatchResult:
        judging = _Judging(order.selected())
        batch, reached, last = judging.batch, after, True
        with self._postgres.connection(BATCH_SECONDS) as connection:
            for tasks, last in _ahead(gather(self._postgres, self._mongo, order, after, room)):  # noqa: B007 - the last one counts
                store(connection, pass_id, judging, tasks)
                reached = tasks[-1].key if tasks else reached
            _count(connection, pass_id, batch, after, reached)
        batch.reached = None if last else reached
        return batch


class _Judging:
    """Judges tasks one by one, on their way into the table."""

    def __init__(self, scorers: tuple[Scorer, ...]) -> None:
        self._scorers = scorers
        self._scores: list[tuple[float, UUID]] = []
        self.batch = BatchResult(tallies={scorer.name: Tally() for scorer in scorers})

    def rows(self, tasks: Sequence[BatchTask]) -> Iterator[tuple[Any, ...]]:
        """A row for each verdict that was missing."""
        for task in tasks:
            for scorer, score in task.known.items():
                self._tell(scorer, score, task.key)
            if task.evidence is None:
                self.batch.skipped += 1
            else:
                yield from self._judged(task, task.evidence)
        self.batch.worst = self._scores = nsmallest(WORST, self._scores)

    def _judged(self, task: BatchTask, evidence: TaskEvidence) -> Iterator[tuple[Any, ...]]:
        missing = [scorer for scorer in self._scorers if scorer.name not in task.known]
        verdicts, failures = judge(evidence, missing)
        about = _About(evidence)
        for new, (scorer, score) in zip(new_ids(len(verdicts)), verdicts, strict=True):
            self._tell(scorer.name, score.value, task.key)
            yield about.row(new, scorer, score)
        for scorer, error in failures:
            self.batch.tallies[scorer.name].add_failure(error)
        self.batch.failed += bool(failures)
        self.batch.evaluated += not failures

    def _tell(self, scorer: str, score: float | None, key: TaskKey) -> None:
        self.batch.tallies[scorer].add(score)
        if score is not None and scorer == self._scorers[-1].name:
            self._scores.append((score, key.task_id))


class _About:
    """What all rows on one task have in common."""

    __slots__ = ("_task", "_when")

    def __init__(self, evidence: TaskEvidence) -> None:
        # As text, made once: the driver would turn each of them into text for each row.
        self._task = (str(evidence.task_id), evidence.agent_id)
        self._when = (evidence.digest(), str(evidence.evidence_at))

    def row(self, new: str, scorer: Scorer, score: Score) -> tuple[Any, ...]:
        verdict = (
            scorer.name,
            scorer.version,
            score.value,
            score.reason,
            to_json(score.metrics).decode(),
        )
        return (new, *self._task, *verdict, *self._when)


def _lock(connection: PgConnection, deadline: float) -> None:
    while not connection.execute(query("hold_the_pass"), {"key": _LOCK}).fetchall()[0][0]:
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                "Another evaluation pass is running: start this one again when it has ended."
            )
        time.sleep(_SECONDS_BETWEEN_TRIES)


_Store = Callable[[PgConnection, UUID, _Judging, Sequence[BatchTask]], None]


def _store_quickly(
    connection: PgConnection, pass_id: UUID, judging: _Judging, tasks: Sequence[BatchTask]
) -> None:
    new = all(task.is_new for task in tasks)
    _store(connection, "store_new_verdicts" if new else "store_verdicts", pass_id, judging, tasks)


def _merge(
    connection: PgConnection, pass_id: UUID, judging: _Judging, tasks: Sequence[BatchTask]
) -> None:
    _store(connection, "store_verdicts", pass_id, judging, tasks)


def _store(
    connection: PgConnection,
    how: str,
    pass_id: UUID,
    judging: _Judging,
    tasks: Sequence[BatchTask],
) -> None:
    connection.execute(query("make_room_for_verdicts"))
    with connection.cursor() as cursor, cursor.copy(query("copy_verdicts")) as copy:
        for row in judging.rows(tasks):
            copy.write_row(row)
    connection.execute(query(how), {"pass_id": pass_id, "created_at": utcnow()})


def _ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces; the next one is being read while one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="evidence") as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece


def _count(
    connection: PgConnection, pass_id: UUID, batch: BatchResult, after: TaskKey, reached: TaskKey
) -> None:
    told = {
        "id": pass_id,
        "evaluated": batch.evaluated,
        "skipped": batch.skipped,
        "failed": batch.failed,
        "after_agent_id": after.agent_id,
        "after_task_id": after.task_id,
        "reached_agent_id": reached.agent_id,
        "reached_task_id": reached.task_id,
    }
    connection.execute(query("count_batch"), told)
