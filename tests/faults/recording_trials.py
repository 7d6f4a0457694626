"""What was acknowledged against what the stores hold, counted over many trials.

`AGENTRUNS_TRIALS` asks for more of them than the few of every day, `AGENTRUNS_OUTAGE_SECONDS`
for longer outages, `AGENTRUNS_SEED` for the moments of an earlier session.
"""

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from agentruns.spool import Spool
from tests.faults.recording_children import Acknowledged, Agent, DeliveryProcess
from tests.faults.recording_stores import Found, Kept

TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "5"))
OUTAGE_SECONDS = float(os.environ.get("AGENTRUNS_OUTAGE_SECONDS", "2"))
SEED = int(os.environ.get("AGENTRUNS_SEED", random.SystemRandom().randrange(10**6)))
#: What no call may take because of a store.
SLOW_MS = 100


@dataclass
class Promise:
    """What came of all trials of one promise."""

    trials: int = 0
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    slowest_ms: float = 0.0
    slowest_away_ms: float | None = None
    """The slowest call while a store was away, where one was."""
    slow: int = 0
    """Calls that took too long then although they had a processor."""


#: Printed when the session ends.
PROMISES: dict[str, Promise] = defaultdict(Promise)


def moments(what: str) -> random.Random:
    """Random moments of their own for each test, the same for the same seed."""
    return random.Random(f"{SEED} {what}")


def some(share: float) -> int:
    """How many trials to run of what takes longer than the others."""
    return max(1, round(TRIALS * share))


def check(promise: str, kept: Kept, agents: Sequence[Agent], trials: int) -> None:
    """Count, and insist on, what is promised of everything that was acknowledged."""
    events, said = kept.events(), [one for agent in agents for one in agent.acknowledged]
    lost = {one.id for one in said} - {event.id for event in events}
    twice = _twice(events)
    count(promise, said, trials=trials, lost=len(lost), twice=len(twice))
    assert not lost, f"seed {SEED}: acknowledged and not stored: {_words(said, lost)}"
    assert not twice, f"seed {SEED}: stored twice: {twice}"
    assert _gaps(events) == {}, f"seed {SEED}: sequences with gaps"
    assert kept.rows_without_object() == [], f"seed {SEED}: rows without object"
    numbers = {event.id: event.sequence for event in events}
    for agent in agents:
        _check_run(kept, agent, numbers)


def report() -> list[str]:
    """One line a promise."""
    return [
        f"{name:<40} {one.trials:>5} trials {one.acknowledged:>8} acknowledged {one.lost:>3} lost "
        f"{one.twice:>3} twice {one.slowest_ms:>8.1f} ms slowest call" + _away(one)
        for name, one in sorted(PROMISES.items())
    ]


def _away(one: Promise) -> str:
    if one.slowest_away_ms is None:
        return ""
    return f" ({one.slowest_away_ms:.1f} ms in outages, {one.slow} above {SLOW_MS} ms)"


def count(
    promise: str, said: Sequence[Acknowledged], *, trials: int, lost: int, twice: int
) -> None:
    """Add to what is printed of a promise."""
    entry = PROMISES[promise]
    entry.trials += trials
    entry.acknowledged += len(said)
    entry.lost += lost
    entry.twice += twice
    entry.slowest_ms = max([entry.slowest_ms, *(one.took_ms for one in said)])


def count_outage(promise: str, said: Sequence[Acknowledged], begin: float, end: float) -> None:
    """Count, and insist on, what calls took while a store was away."""
    then = [one for one in said if begin <= one.at <= end]
    slow = [one for one in then if one.took_ms - one.starved_ms > SLOW_MS]
    entry = PROMISES[promise]
    entry.slow += len(slow)
    entry.slowest_away_ms = max([entry.slowest_away_ms or 0.0, *(one.took_ms for one in then)])
    assert then, "the agent recorded nothing while the store was away"
    assert not slow


def wait_until_empty(spool: Spool, delivery: DeliveryProcess, seconds: float = 120) -> None:
    """Wait until a delivery has nothing more to do."""
    until = time.monotonic() + seconds
    while spool.sessions():
        assert delivery.lives, f"seed {SEED}: the delivery has ended: {delivery.lines}"
        assert time.monotonic() < until, f"seed {SEED}: not all is delivered: {delivery.lines}"
        time.sleep(0.05)


def wait_until(happened: Callable[[], bool], seconds: float, otherwise: str) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def _twice(events: Iterable[Found]) -> list[tuple[str, UUID, str]]:
    # Ids cannot be there twice; the same words under another id could.
    known = Counter((event.kind, event.task_id, event.words) for event in events)
    return [key for key, number in known.items() if number > 1]


def _gaps(events: Iterable[Found]) -> dict[UUID, list[int]]:
    """The sequences that are not 1, 2, ... to their end, by task."""
    numbers: dict[UUID, list[int]] = defaultdict(list)
    for event in events:
        numbers[event.task_id].append(event.sequence)
    return {
        task_id: sorted(found)
        for task_id, found in numbers.items()
        if sorted(found) != list(range(1, len(found) + 1))
    }


def _words(said: Iterable[Acknowledged], ids: set[UUID]) -> list[str]:
    return sorted(f"{one.kind} {one.words} {one.id}" for one in said if one.id in ids)


def _check_run(kept: Kept, agent: Agent, numbers: Mapping[UUID, int]) -> None:
    """Its run has an end, and each thread's events are in the order in which it told them."""
    if agent.task_id is None:
        return
    status = kept.tasks[agent.task_id].status
    # Killed after the end was kept and before it could say so, it is completed as well.
    assert status == "completed" if agent.completed else status in {"interrupted", "completed"}
    threads: dict[str, list[int]] = defaultdict(list)
    for one in agent.acknowledged:
        threads[one.words.partition("-")[0]].append(numbers[one.id])
    assert all(told == sorted(told) for told in threads.values())
