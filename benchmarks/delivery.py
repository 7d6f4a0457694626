"""The delivery of a spool against the raw drivers' bulk calls on as much of the same.

Ours is `python -P -m storage.delivery` on a spool that is full and whose recorder is gone. It is
timed from taking the spool's lock (what comes before is told as its start) until the last event is
acknowledged, so it reads the spool, opens its connections and keeps its ledger within that time.
The raw side has everything ready-made in memory: COPY, `insert_many` and `put_object` in 8 threads,
once one store after the other and once all three at a time; the quicker one counts.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from agentruns.models import AgentTask, LogEntry
from agentruns.spool import Lane, Ledger, Spool
from benchmarks.measure import Action, Comparison, show, tell
from benchmarks.record_writer import Maker, Raw
from benchmarks.sandbox import sandbox
from benchmarks.spooling import (
    BLOCK,
    LOGS,
    PICTURES,
    PROGRESS,
    delivery,
    environment,
    fill,
    peak_bytes,
    temporary_spool,
)
from storage import Stores

RATIO_GOAL, MEMORY_GOAL = 0.8, 150.0
#: Small backlog and large one; the large one with a fifth of the pictures, as time is short.
BACKLOGS = ((10, PICTURES), (313, PICTURES // 5))
_LOOK_SECONDS = 0.02
MIB = 2**20


class Delivered(NamedTuple):
    """What one delivery took."""

    events: int
    start: float
    """Seconds until it had taken the lock."""
    seconds: float
    """From then to the last acknowledgement."""
    peak: int
    """Bytes of memory."""


def main() -> None:
    """Print both ratios, the start, and the peak of memory."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--blocks", type=int, default=100, help=f"of {BLOCK} events each")
    wanted.add_argument("--rounds", type=int, default=2)
    arguments = wanted.parse_args()
    with sandbox() as (stores, agent_id):
        tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(100)]
        # The log entry makes the collection and its indexes, which the raw one gets as well.
        stores.writer.write([*tasks, LogEntry(agent_id=agent_id, message="first")])
        make = Maker(agent_id, tasks)
        _compare(stores, agent_id, make, arguments.blocks, arguments.rounds)
        for blocks, pictures in BACKLOGS:
            found = deliver(stores, make, blocks, pictures)
            name = f"delivery: peak memory with {found.events:,} events of backlog"
            tell(name, found.peak / MIB, "MiB", most=MEMORY_GOAL)


def _compare(stores: Stores, agent_id: str, make: Maker, blocks: int, rounds: int) -> None:
    raw = RawWays(stores, agent_id, make, blocks)
    ours, apart, together = [], [], []
    deliver(stores, make, 1)  # lets the agent in, which takes half a second once
    for _ in range(rounds):
        ours.append(deliver(stores, make, blocks))
        apart.append(raw.seconds(raw.one_after_the_other))
        together.append(raw.seconds(raw.at_once))
    events = ours[0].events
    for name, theirs in (("one store after the other", apart), ("all three at once", together)):
        # The better of the raw ways is what we are measured by.
        goal = RATIO_GOAL if sum(theirs) == min(sum(apart), sum(together)) else None
        show(f"delivery, raw: {name}", _ratio(events, ours, theirs), "events/s", goal)
    tell("delivery: start until the lock", statistics.median(one.start for one in ours), "s")
    tell("delivery: peak memory", max(one.peak for one in ours) / MIB, "MiB", most=MEMORY_GOAL)


def _ratio(events: int, ours: list[Delivered], theirs: list[float]) -> Comparison:
    return Comparison(
        ours=events / statistics.median(one.seconds for one in ours),
        raw=events / statistics.median(theirs),
        ratio=statistics.median(raw / one.seconds for one, raw in zip(ours, theirs, strict=True)),
    )


def deliver(stores: Stores, make: Maker, blocks: int, pictures: int = PICTURES) -> Delivered:
    """Fill a spool and have it delivered by a process of its own."""
    with temporary_spool() as spool:
        events = fill(spool, make, blocks, pictures)
        begun = time.perf_counter()
        with delivery(spool, environment(stores.settings)) as process, spool.ledger() as ledger:
            locked = time.perf_counter()
            peak = 0
            while _pending(spool, ledger):
                peak = max(peak, peak_bytes(process.pid))
                time.sleep(_LOOK_SECONDS)
                if process.poll():
                    raise RuntimeError("the delivery failed")
            return Delivered(events, locked - begun, time.perf_counter() - locked, peak)


def _pending(spool: Spool, ledger: Ledger) -> bool:
    # What is delivered goes from the spool.
    return any(
        segment.last(lane) > ledger.position(segment.name, lane)
        for session in spool.sessions()
        for segment in session.segments()
        for lane in Lane
    )


class RawWays:
    """The drivers' bulk calls on as many records, each store with connections of its own."""

    def __init__(self, stores: Stores, agent_id: str, make: Maker, blocks: int) -> None:
        self._raws = [Raw(stores, agent_id) for _ in range(3)]
        self._kinds: tuple[Callable[[], list[Any]], ...] = (
            lambda: make.logs(blocks * LOGS),
            lambda: make.progress(blocks * PROGRESS),
            lambda: make.objects(blocks * PICTURES),
        )

    def seconds(self, way: Callable[[list[Action]], None]) -> float:
        """How long one way takes on records that nobody has stored yet."""
        actions = [raw.ready(kind()) for raw, kind in zip(self._raws, self._kinds, strict=True)]
        start = time.perf_counter()
        way(actions)
        return time.perf_counter() - start

    def one_after_the_other(self, actions: list[Action]) -> None:
        """MongoDB, then PostgreSQL, then MinIO."""
        for action in actions:
            action()

    def at_once(self, actions: list[Action]) -> None:
        """Each store in a thread."""
        with ThreadPoolExecutor(len(actions)) as pool:
            list(pool.map(lambda action: action(), actions))


if __name__ == "__main__":
    main()
