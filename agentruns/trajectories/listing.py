"""What lies in a folder that somebody else wrote, opened or followed nowhere."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentruns.cleaning import printable
from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.reader import Problem
from agentruns.trajectories.walking import is_folder, mode_of, walk


@dataclass(slots=True)
class Listing:
    """The regular files in a folder, and why the rest of it is not among them."""

    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def list_files(folder: Path) -> Listing:
    """The files right in the folder, in order of their names."""
    listing = Listing()
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        HICCUPS.note(error)
        unreadable = "The folder could not be read; check its rights."
        return Listing(problems=[Problem(".", None, unreadable)])
    for entry in found:
        reason = refusal(mode_of(Path(entry.path)))
        if reason:
            listing.problems.append(Problem(printable(entry.name), None, reason))
        else:
            listing.names.append(entry.name)
    return listing


def refusal(mode: int) -> str | None:
    """Why a path of this mode is not read, or None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "A symbolic link, and links are never followed."
    if stat.S_ISDIR(mode):
        return "A folder that this format does not have; its files were not read."
    return "Not a regular file, so it was not read."


def names_in(folder: Path) -> list[str]:
    """The names in the folder, none where it is no folder or cannot be read."""
    with HICCUPS:
        return sorted(path.name for path in folder.iterdir()) if is_folder(folder) else []
    return []


def folder_items(
    folder: Path, recognise: Callable[[Path], bool], skipped: frozenset[str] = frozenset()
) -> Iterator[Path]:
    """Every folder that is recognised, in order of paths; no link is followed."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        if recognise(here):
            yield here
        else:
            inner = (here / name for name in reversed(names_in(here)) if name not in skipped)
            waiting.extend(path for path in inner if is_folder(path))


def file_items(folder: Path, recognise: Callable[[Path], bool]) -> Iterator[Path]:
    """Every file that is recognised, in order of paths; no link is followed."""
    paths = walk(folder) if is_folder(folder) else iter([folder])
    return (path for path in paths if recognise(path))
