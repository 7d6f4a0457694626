"""How large a spool is, told quickly also when a hundred thousand objects wait in it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agentruns.spool.disk import size_of
from agentruns.spool.layout import OVER, SESSIONS


class _Over(NamedTuple):
    """A session in which nothing is written any more, as it was seen."""

    modified_ns: int
    """Changes when one of its segments is removed."""
    size: int


class SpoolSizes:
    """Adds up the files of a spool; what can't change any more is looked at once."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._sessions: dict[str, _Over] = {}
        self._segments: dict[str, int] = {}

    def besides(self, own: Path) -> int:
        """How many bytes everything has but this one segment."""
        total = 0
        for entry in _entries(self._spool):
            path = Path(entry.path)
            total += self._of_sessions(path, own) if entry.name == SESSIONS else _size(path)
        return total

    def _of_sessions(self, folder: Path, own: Path) -> int:
        entries = _entries(folder)
        names = {entry.name for entry in entries}
        self._sessions = {name: seen for name, seen in self._sessions.items() if name in names}
        segments, self._segments = self._segments, {}
        return sum(self._of_session(entry, own, segments) for entry in entries)

    def _of_session(self, entry: os.DirEntry[str], own: Path, known: dict[str, int]) -> int:
        try:
            modified_ns = entry.stat(follow_symlinks=False).st_mtime_ns
        except FileNotFoundError:
            return 0
        seen = self._sessions.get(entry.name)
        if seen and seen.modified_ns == modified_ns:
            return seen.size
        size, is_over = self._looked_through(Path(entry.path), own, known)
        if is_over:
            self._sessions[entry.name] = _Over(modified_ns, size)
        return size

    def _looked_through(self, session: Path, own: Path, known: dict[str, int]) -> tuple[int, bool]:
        paths = sorted(Path(entry.path) for entry in _entries(session))
        is_over = session / OVER in paths
        segments = [path for path in paths if path.name.isdecimal()]
        # A session writes into its newest segment only.
        written = set() if is_over else set(segments[-1:])
        total = 0
        for path in paths:
            if path == own:
                continue
            if path in segments and path not in written:
                size = known.get(str(path))
                size = _size(path) if size is None else size
                self._segments[str(path)] = size
            else:
                size = _size(path)
            total += size
        return total, is_over


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return size_of(path)
    with suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
