"""What lies below a source: every path once, with what decides on it; nothing is followed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agentruns.trajectories import READERS
from agentruns.trajectories.walking import walk
from storage.errors import SettingsError

_LINK = "A symbolic link, and links are never followed."
_ODD = "A pipe, socket or device, which is never read."
_CLOSED = "It may not be read by this user; grant read rights and take the inventory again."
_CHANGED = "It vanished while the folder was being listed."


class Scanned(NamedTuple):
    """One path below the source."""

    path: bytes
    folder: bytes
    size_bytes: int
    modified_ns: int
    reason: str | None
    """Why it is never read."""


class Member(NamedTuple):
    """A path that belongs to an item."""

    path: bytes
    item_path: bytes
    format: str


def source_folder(source: str) -> Path:
    """The folder itself, without links on the way.

    Raises:
        SettingsError: when it is none, or has a name that PostgreSQL cannot keep.
    """
    folder = Path(source).expanduser().resolve()
    if not folder.is_dir():
        raise SettingsError(f"{source} is no folder: name the folder that holds the old runs.")
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise SettingsError(
            "The source's own name is not UTF-8: rename it, or link to it."
        ) from None
    return folder


def scan(source: Path) -> Iterator[Scanned]:
    """Every path below the source that is no folder."""
    for path in walk(source):
        yield _scanned(path, os.fsencode(path.relative_to(source)))


def members(source: Path, only: str | None = None) -> Iterator[Member]:
    """Every path that belongs to an item, beside the item."""
    for reader in READERS:
        if only in {None, reader.name}:
            for item in reader.items(source):
                below = _below(item, source)
                for path in reader.files(item):
                    yield Member(_below(path, source), below, reader.name)


def _below(path: Path, source: Path) -> bytes:
    return b"" if path == source else os.fsencode(path.relative_to(source))


def _scanned(path: Path, below: bytes) -> Scanned:
    folder = below.rpartition(b"/")[0]
    try:
        found = path.lstat()
    except OSError:
        return Scanned(below, folder, 0, 0, _CHANGED)
    return Scanned(below, folder, found.st_size, found.st_mtime_ns, _refusal(path, found.st_mode))


def _refusal(path: Path, mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return _LINK
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return _ODD
    # A folder is given only when it cannot be listed.
    return _CLOSED if stat.S_ISDIR(mode) or not os.access(path, os.R_OK) else None
