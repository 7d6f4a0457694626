"""The files of one cua run in their true order, known by name alone."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern

from agentruns.cleaning import printable
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.listing import refusal
from agentruns.trajectories.reader import Problem

TURN = re.compile(r"turn_\d{1,9}\Z")
ARTIFACT = re.compile(r"(?P<number>\d{1,9})_(?P<name>.{1,200})\.(?P<type>json|png)\Z")
METADATA = "metadata.json"
CALLS = ("computer_call_result", "function_call_result")


@dataclass(slots=True)
class Folder:
    """What one run's folder holds."""

    artifacts: list[Artifact] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    """Turn folder -> the step that its files belong to."""
    pictured: dict[str, set[str]] = field(default_factory=dict)
    """Turn folder -> the names of its pictures."""


def list_folder(root: Path) -> Folder:
    """Everything in the run's folder, opened or followed nowhere."""
    folder = Folder()
    for entry in _entries(root, "", folder.problems):
        _place(root, entry, folder)
    folder.artifacts.sort()
    folder.loose.sort()
    count_steps(folder)
    return folder


def _entries(root: Path, below: str, problems: list[Problem]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(root / below) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        HICCUPS.note(error)
        where = printable(below) or "."
        problems.append(Problem(where, None, "The folder could not be read; check its rights."))


def _place(root: Path, entry: os.DirEntry[str], folder: Folder) -> None:
    mode = _mode_of(entry)
    if stat.S_ISDIR(mode) and TURN.match(entry.name):
        for inner in _entries(root, entry.name, folder.problems):
            _place_in_turn(entry.name, inner, folder)
    elif reason := refusal(mode):
        folder.problems.append(Problem(printable(entry.name), None, reason))
    elif entry.name != METADATA:
        folder.loose.append(entry.name)


def _place_in_turn(turn: str, entry: os.DirEntry[str], folder: Folder) -> None:
    path = f"{turn}/{entry.name}"
    if reason := refusal(_mode_of(entry)):
        folder.problems.append(Problem(printable(path), None, reason))
    elif found := ARTIFACT.match(entry.name):
        # A long run has few names, each of them thousands of times.
        name, type_ = intern(found["name"]), intern(found["type"])
        folder.artifacts.append(Artifact(int(found["number"]), path, name, type_))
    else:
        folder.loose.append(path)


def _mode_of(entry: os.DirEntry[str]) -> int:
    with HICCUPS:
        return entry.stat(follow_symlinks=False).st_mode
    return 0


def count_steps(folder: Folder) -> None:
    """Give each turn or group the step that its files belong to."""
    calls = 0
    for artifact in folder.artifacts:
        if artifact.type == "png":
            folder.pictured.setdefault(artifact.turn, set()).add(artifact.name)
        if artifact.name in CALLS:
            calls += 1
            folder.steps[artifact.turn] = calls
        else:
            folder.steps.setdefault(artifact.turn, calls + 1)
