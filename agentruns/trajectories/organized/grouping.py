"""Which files of an organised folder belong to one run."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agentruns.trajectories.organized.facts import Fact, Index

#: In one moment: what the run is, asked, answered, understood, done.
ORDER = ("metadata", "api_start", "api_result", "agent_response")
LAST = 2**63


@dataclass(slots=True)
class RebuiltRun:
    """The files of one run, as far as they can be told."""

    facts: list[Fact]
    metadata: Fact | None = None
    copies: list[Fact] = field(default_factory=list)
    """Other metadata of the same run, as it was at another time."""
    by_time: bool = False
    """Runs with the same calls were told apart by their times alone."""

    @property
    def start(self) -> tuple[int, str]:
        """When the run began, and something to tell two apart that began together."""
        facts = [*self.facts, *([self.metadata] if self.metadata else [])]
        ticks = [fact.ticks for fact in facts if fact.ticks]
        return min(ticks, default=LAST), min(fact.path for fact in facts)


def rebuild(index: Index) -> list[RebuiltRun]:
    """All runs in order of their beginning; every file of the index is in one of them."""
    clusters: dict[int, list[Fact]] = {}
    weak: list[Fact] = []
    for number, fact in enumerate(index.facts):
        if index.is_connected(number):
            clusters.setdefault(index.root(number), []).append(fact)
        else:
            weak.append(fact)
    groups = list(clusters.values())
    groups = _with_weak(groups, weak)
    runs = [run for group in groups for run in _split(group)]
    return sorted(runs, key=lambda run: run.start)


def _with_weak(groups: list[list[Fact]], weak: list[Fact]) -> list[list[Fact]]:
    """Files without any call join the run of the same conversation that comes next, else last."""
    by_opening: dict[bytes, list[tuple[int, list[Fact]]]] = {}
    for group in groups:
        for opening in {fact.opening for fact in group} - {b""}:
            by_opening.setdefault(opening, []).append((_start(group), group))
    added: dict[bytes, list[Fact]] = {}
    unplaced: list[Fact] = []
    joined: list[tuple[list[Fact], Fact]] = []
    for fact in weak:
        if run := _next(by_opening.get(fact.opening, []), fact.ticks):
            joined.append((run, fact))
        elif fact.opening:
            added.setdefault(fact.opening, []).append(fact)
        else:
            unplaced.append(fact)
    for group, fact in joined:
        group.append(fact)
    return _with_unplaced([*groups, *added.values()], unplaced)


def _next(groups: list[tuple[int, list[Fact]]], ticks: int) -> list[Fact] | None:
    if not groups:
        return None
    later = [found for found in groups if found[0] >= ticks]
    return (min if later else max)(later or groups, key=lambda found: found[0])[1]


def _with_unplaced(groups: list[list[Fact]], unplaced: list[Fact]) -> list[list[Fact]]:
    """Files that say nothing of their run belong to the only run there was, if there was one."""
    spans = [(_start(group), max(fact.ticks for fact in group), group) for group in groups]
    rest: list[Fact] = []
    for fact in unplaced:
        there = [group for start, end, group in spans if start <= fact.ticks <= end]
        there = there or ([] if fact.ticks else groups)
        if len(there) == 1:
            there[0].append(fact)
        else:
            rest.append(fact)
    return [*groups, *([rest] if rest else [])]


def _start(facts: Iterable[Fact]) -> int:
    """When the first call was spoken of: metadata is older than the run's first question."""
    ticks = (fact.ticks for fact in facts if fact.ticks and fact.kind != "metadata")
    return min(ticks, default=LAST)


def _split(group: list[Fact]) -> list[RebuiltRun]:
    """One run for each name among the metadata; several share the other files by their times."""
    named: dict[str, list[Fact]] = {}
    for fact in sorted(group, key=lambda fact: (fact.ended, fact.path), reverse=True):
        if fact.kind == "metadata":
            named.setdefault(fact.run, []).append(fact)
    files = sorted((fact for fact in group if fact.kind != "metadata"), key=_place)
    if not named:
        return [RebuiltRun(files)]
    # The metadata that ended last knows most.
    runs = [RebuiltRun([], all_[0], all_[1:], by_time=len(named) > 1) for all_ in named.values()]
    runs.sort(key=lambda run: run.start)
    for fact in files:
        _owner(runs, fact.ticks).facts.append(fact)
    return runs


def _owner(runs: list[RebuiltRun], ticks: int) -> RebuiltRun:
    """The only run that was going on, else the last that had begun."""
    begun = [run for run in runs if run.metadata and run.metadata.ticks <= ticks]
    going_on = [run for run in begun if run.metadata and ticks <= run.metadata.ended]
    if len(going_on) == 1:
        return going_on[0]
    return begun[-1] if begun else runs[0]


def _place(fact: Fact) -> tuple[int, int, str]:
    rank = ORDER.index(fact.kind) if fact.kind in ORDER else len(ORDER)
    return fact.ticks or LAST, rank, fact.path
