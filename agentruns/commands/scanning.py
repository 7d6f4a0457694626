"""What lies in a folder, told apart by what changed; links and devices are left alone."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

#: Half-written by convention, or nobody's business while the command still runs.
PARTIAL_ENDINGS = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


class Signature(NamedTuple):
    """Changes whenever the file does."""

    inode: int
    size: int
    modified_ns: int


#: Tells which paths are nobody's business.
Left = Callable[[Path], bool]


def scan(folder: Path, left: Left) -> dict[Path, Signature]:
    """Every regular file below the folder; what cannot be entered is passed over."""
    return dict(_files(folder, left))


def scan_some(paths: Iterable[Path], folder: Path, left: Left) -> dict[Path, Signature]:
    """The same, of only these files and folders below the folder."""
    found: dict[Path, Signature] = {}
    parents: dict[Path, bool] = {}
    for path in paths:
        if path.parent not in parents:
            parents[path.parent] = _lies_in(path.parent, folder)
        if parents[path.parent] and not left(path):
            found |= _at(path, left)
    return found


def is_partial(path: Path, folder: Path) -> bool:
    """Whether the name says: hidden, or not finished yet."""
    parts = path.relative_to(folder).parts
    return path.name.endswith(PARTIAL_ENDINGS) or any(part.startswith(".") for part in parts)


def leads_elsewhere(folder: Path) -> bool:
    """Whether a link to another folder lies somewhere below the folder."""
    return any(
        entry.is_symlink() and entry.is_dir() for entry in _walk(folder, lambda _path: False)
    )


def _lies_in(parent: Path, folder: Path) -> bool:
    """Whether the way from the folder to there leads through no link."""
    return parent.is_relative_to(folder) and parent.resolve() == parent


def _at(path: Path, left: Left) -> dict[Path, Signature]:
    try:
        status = path.lstat()
    except OSError:  # gone again
        return {}
    if stat.S_ISDIR(status.st_mode):
        return scan(path, left)
    return {path: _signature(status)} if stat.S_ISREG(status.st_mode) else {}


def _files(folder: Path, left: Left) -> Iterator[tuple[Path, Signature]]:
    for entry in _walk(folder, left):
        if entry.is_file(follow_symlinks=False):
            yield from _signed(entry)


def _walk(folder: Path, left: Left) -> Iterator[os.DirEntry[str]]:
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False) and not left(Path(entry.path)):
                waiting.append(Path(entry.path))
            yield entry


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _signed(entry: os.DirEntry[str]) -> Iterator[tuple[Path, Signature]]:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # gone since it was listed
        return
    yield Path(entry.path), _signature(status)


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_ino, status.st_size, status.st_mtime_ns)
