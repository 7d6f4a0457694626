"""Timing two ways of doing the same, in turn, and printing how they relate to the goals."""

import statistics
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

Action = Callable[[], object]


class Comparison(NamedTuple):
    """Both figures in units a second, and how ours relates to the raw one, pair by pair."""

    ours: float
    raw: float
    ratio: float


def compare(
    prepare: Callable[[], tuple[Action, Action]], amount: int, rounds: int = 5
) -> Comparison:
    """Run ours and the raw one in turn, on what `prepare` makes for each round, untimed.

    One round warms up; the rest give medians. Neighbours share the machine's mood, so the ratio is
    taken pair by pair.
    """
    pairs = [tuple(map(seconds, prepare())) for _ in range(rounds + 1)][1:]
    return Comparison(
        ours=amount / statistics.median(mine for mine, _ in pairs),
        raw=amount / statistics.median(theirs for _, theirs in pairs),
        ratio=statistics.median(theirs / mine for mine, theirs in pairs),
    )


def show(name: str, found: Comparison, unit: str, goal: float | None = None) -> None:
    """Print one line: ours, raw, ratio, and whether the goal is met."""
    verdict = (
        "" if goal is None else f"  goal {goal:g} {'met' if found.ratio >= goal else 'MISSED'}"
    )
    print(
        f"{name:<34} ours {found.ours:>11,.0f} {unit:<10} raw {found.raw:>11,.0f} {unit:<10} "
        f"ratio {found.ratio:.2f}{verdict}",
        flush=True,
    )


def tell(name: str, value: float, unit: str, *, most: float = inf, least: float = -inf) -> None:
    """Print one line: a figure, and whether it keeps within its goal, where there is one."""
    goal = f"at most {most:g}" if most < inf else f"at least {least:g}"
    verdict = "met" if least <= value <= most else "MISSED"
    told = "" if -least == most == inf else f"  goal {goal} {verdict}"
    print(f"{name:<58} {value:>11,.3f} {unit:<9}{told}", flush=True)


def percentile(times: Sequence[float], share: float) -> float:
    """The time that this share of all do not exceed."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def seconds(action: Action) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
