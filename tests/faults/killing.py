"""Processes that do something step by step, and are killed in the middle of one."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from tests.faults.points import Point, Points

#: Gives the name of each step, and does it before it gives the next.
Steps = Callable[..., Iterator[str]]

#: One process imports everything, and each trial is a copy of it.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", "tests.faults.migrating", "tests.faults.superseding"])
_PATIENCE = 180.0
#: Acts and seconds of a step that nobody did undisturbed.
_USUAL = 60
_SECONDS = 1.0

#: By step and kind; printed when the tests end.
KILLS: Counter[tuple[str, str]] = Counter()


class Ended(NamedTuple):
    """How a process ended."""

    killed: bool
    counted: dict[str, int]
    """The acts of each step."""


class Kill(NamedTuple):
    """When a process is killed: at a point, or so many seconds after its step began."""

    step: str
    point: Point | None = None
    seconds: float | None = None

    def happened(self, ended: Ended) -> None:
        """Count it; what ends before is not killed."""
        KILLS[self.step, "at any moment" if self.point is None else "between two acts"] += (
            ended.killed
        )


def kill_in(
    step: str, chance: random.Random, number: int, acts: int = _USUAL, seconds: float = _SECONDS
) -> Kill:
    """The next of several kills in one step: between two acts, and at any moment, in turn."""
    if number % 2:
        return Kill(step, seconds=chance.random() * seconds / (number + 1))
    # What is done is not done again, so that later points may not come.
    most = max(1, acts // (number + 1))
    return Kill(step, Point(step, chance.randint(1, most), chance.random() < 0.5))


def run(steps: Steps, args: Sequence[Any], kill: Kill | None = None) -> Ended:
    """Have a process do the steps; it ends well, or is killed when that was wanted."""
    hear, tell = _FORKS.Pipe(duplex=False)
    point = kill and kill.point
    process = _FORKS.Process(target=_work, args=(steps, args, dict(os.environ), point, tell))
    process.start()
    tell.close()
    counted: dict[str, int] = {}
    for said in _heard(hear):
        if isinstance(said, dict):
            counted = said
        elif kill and kill.seconds is not None and said == kill.step:
            time.sleep(kill.seconds)
            process.kill()
    process.join(_PATIENCE)
    assert process.exitcode in {0, -signal.SIGKILL}, f"it ended with {process.exitcode}"
    ended = Ended(process.exitcode != 0, counted)
    if kill:
        kill.happened(ended)
    return ended


def report() -> list[str]:
    """How often each step was killed."""
    lines = [
        f"{step:<10} {KILLS[step, 'between two acts']:>4} between two acts "
        f"{KILLS[step, 'at any moment']:>4} at any moment"
        for step in dict.fromkeys(step for step, _ in KILLS)
    ]
    return [*lines, f"{'all':<10} {KILLS.total():>4} kills"] if lines else []


def _work(
    steps: Steps,
    args: Sequence[Any],
    environment: dict[str, str],
    point: Point | None,
    news: Connection,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    points = Points(point)
    for name in steps(*args):
        points.begin(name)
        news.send(name)
    news.send(points.counted)


def _heard(hear: Connection) -> Iterator[Any]:
    while hear.poll(_PATIENCE):
        try:
            yield hear.recv()
        except EOFError:
            return
    raise AssertionError("nothing is heard of it")
