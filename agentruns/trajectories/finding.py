"""Where in a tree of files the trajectories are, of whatever formats lie side by side."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.reader import TrajectoryReader
from agentruns.trajectories.walking import is_folder, mode_of


class Found(NamedTuple):
    """One item of a format, and who can read it."""

    reader: TrajectoryReader
    path: Path


def find_items(folder: Path, readers: Sequence[TrajectoryReader]) -> Iterator[Found]:
    """Every item at or below the path, in order; no link is followed.

    The first reader that recognises a path has it, and nobody else gets what it names as its files.
    Memory holds the names in the folders on the way, and the files that lie beside an item.
    """
    mode = mode_of(folder)
    if stat.S_ISREG(mode) and (reader := _reader_of(folder, readers)):
        yield Found(reader, folder)
    elif stat.S_ISDIR(mode):
        yield from _below(folder, readers)


def items_of(reader: TrajectoryReader, folder: Path) -> Iterator[Path]:
    """Every item of one format at or below the folder, in order."""
    return (found.path for found in find_items(folder, (reader,)))


def names_in(folder: Path) -> Iterator[str]:
    """The names in a folder as the disk gives them; none where there is no folder."""
    if is_folder(folder):
        with HICCUPS, os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name


def _in_folder(
    folder: Path, readers: Sequence[TrajectoryReader], beside: set[Path]
) -> Iterator["Found | Path"]:
    """The items that a folder is or holds itself, and the folders in it that may hold more."""
    reader = _reader_of(folder, readers)
    if reader:
        yield Found(reader, folder)
    own = _Claims(folder, reader)
    for name in sorted(names_in(folder)):
        path = folder / name
        if own.cover(name) or path in beside:
            continue
        mode = mode_of(path)
        if stat.S_ISDIR(mode):
            yield path
        elif stat.S_ISREG(mode) and (found := _reader_of(path, readers)):
            beside.update(other for other in found.files(path) if other != path)
            yield Found(found, path)


def _below(root: Path, readers: Sequence[TrajectoryReader]) -> Iterator[Found]:
    """Without recursion: a folder may be nested deeper than Python calls."""
    beside: set[Path] = set()
    waiting = [_in_folder(root, readers, beside)]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
        elif isinstance(found, Found):
            yield found
        else:
            waiting.append(_in_folder(found, readers, beside))


class _Claims:
    """The names in a folder that its own reader reads, asked for in order."""

    def __init__(self, folder: Path, reader: TrajectoryReader | None) -> None:
        self._prefix = os.path.join(folder, "")  # noqa: PTH118 - a `Path` drops the slash
        self._files = reader.files(folder) if reader else iter(())
        self._next = self._following()

    def cover(self, name: str) -> bool:
        """Whether the reader claims something at or below the name."""
        while self._next is not None and self._next < name:
            self._next = self._following()
        return self._next == name

    def _following(self) -> str | None:
        path = next(self._files, None)
        return str(path).removeprefix(self._prefix).partition("/")[0] if path else None


def _reader_of(path: Path, readers: Sequence[TrajectoryReader]) -> TrajectoryReader | None:
    return next((reader for reader in readers if reader.recognise(path)), None)
