"""What lies in a folder, told apart by what changed; links and devices are left alone."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Half-written by convention, or nobody's business while the command still runs.
PARTIAL_ENDINGS = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


class Signature(NamedTuple):
    """Changes whenever the file does."""

    inode: int
    size: int
    modified_ns: int


def scan(folder: Path) -> dict[Path, Signature]:
    """Every regular file below the folder; what cannot be entered is passed over."""
    return dict(_files(folder))


def is_partial(path: Path, folder: Path) -> bool:
    """Whether the name says: hidden, or not finished yet."""
    parts = path.relative_to(folder).parts
    return path.name.endswith(PARTIAL_ENDINGS) or any(part.startswith(".") for part in parts)


def _files(folder: Path) -> Iterator[tuple[Path, Signature]]:
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield from _signed(entry)


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
    yield Path(entry.path), Signature(status.st_ino, status.st_size, status.st_mtime_ns)
