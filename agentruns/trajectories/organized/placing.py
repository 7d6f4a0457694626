"""The files of a rebuilt run as the numbered artifacts of a cua run, screenshots at their calls."""

from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.folder import CALLS, Folder, count_steps
from agentruns.trajectories.cua.folder_run import call_group
from agentruns.trajectories.organized.facts import Index
from agentruns.trajectories.organized.grouping import RebuiltRun
from agentruns.trajectories.organized.names import GROUPED


def place_pictures(index: Index, runs: list[RebuiltRun]) -> tuple[dict[str, list[str]], list[str]]:
    """The pictures of each call's result file, by its path, and those of no known call."""
    results = _results(runs)
    turns = _turns(runs)
    placed: dict[str, list[str]] = {}
    loose: list[str] = []
    for path, sha256 in sorted(index.pictures.items()):
        shown = {results.get((number_of, call)) for number_of, call in _told(index, sha256)}
        owners = {owner for owner in shown if owner} or turns.get(_turn(path), set())
        if len(owners) == 1:
            placed.setdefault(owners.pop(), []).append(path)
        else:
            loose.append(path)
    return placed, loose


def calls_in_metadata(index: Index) -> dict[str, frozenset[str]]:
    """The path of each metadata and the calls whose pictures it holds itself."""
    calls: dict[str, set[str]] = {}
    for number, call_id in set().union(*index.calls_shown.values()):
        calls.setdefault(index.facts[number].path, set()).add(call_id)
    return {path: frozenset(known) for path, known in calls.items()}


def listing_of(run: RebuiltRun, placed: dict[str, list[str]], loose: list[str]) -> Folder:
    """The run's files in their order, each call behind its pictures."""
    artifacts: list[Artifact] = []
    for fact in run.facts:
        group = call_group(fact.call_id) if fact.call_id else fact.path
        for path in placed.get(fact.path, []):
            named = GROUPED.search(path)
            name = named["name"] if named else "screenshot_after"
            artifacts.append(Artifact(len(artifacts), path, name, "png", group))
        artifacts.append(Artifact(len(artifacts), fact.path, fact.kind, "json", group))
    folder = Folder(artifacts=artifacts, loose=loose)
    count_steps(folder)
    return folder


def _told(index: Index, sha256: str) -> set[tuple[str, str]]:
    shown = index.calls_shown.get(sha256, set())
    return {(index.facts[number].path, call_id) for number, call_id in shown}


def _results(runs: list[RebuiltRun]) -> dict[tuple[str, str], str]:
    """The path of the metadata and a call id -> the path of the call's result."""
    return {
        (known.path, fact.call_id): fact.path
        for run in runs
        for known in [*([run.metadata] if run.metadata else []), *run.copies]
        for fact in run.facts
        if fact.call_id
    }


def _turns(runs: list[RebuiltRun]) -> dict[str, set[str]]:
    """Turn -> the results in it; runs whose names are equal have overwritten each other."""
    turns: dict[str, set[str]] = {}
    for fact in (fact for run in runs for fact in run.facts if fact.kind in CALLS):
        if turn := _turn(fact.path):
            turns.setdefault(turn, set()).add(fact.path)
    return turns


def _turn(path: str) -> str:
    found = GROUPED.search(path)
    return found["turn"] if found else ""
