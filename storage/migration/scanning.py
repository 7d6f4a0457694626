"""What lies below a source: every path once, with what decides on it; nothing is followed."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agentruns.trajectories import all_readers
from agentruns.trajectories.finding import find_items
from agentruns.trajectories.reader import TrajectoryReader
from storage.errors import SettingsError

_LINK = "A symbolic link, and links are never followed."
_ODD = "A pipe, socket or device, which is never read."
_CLOSED = "It may not be read by this user; grant read rights and take the inventory again."
_DEEP = "Its path is longer than this system opens; move the folder that it lies in further up."
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
    """Every path below the source that is no folder, in any order; nothing is opened."""
    # Bytes and no `Path`: a million of those take longer than the disk.
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = os.scandir(_joined(os.fsencode(source), folder))
        except OSError:
            yield _unlisted(source, folder)
            continue
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(_joined(folder, entry.name))
                else:
                    yield _scanned(entry, folder)


def members(source: Path, only: str | None = None) -> Iterator[Member]:
    """Every path that belongs to an item, beside the item."""
    return members_found(source, [one for one in all_readers() if only in {None, one.name}])


def members_found(source: Path, readers: Sequence[TrajectoryReader]) -> Iterator[Member]:
    """The same as some readers find it."""
    for found in find_items(source, readers):
        below = _below(found.path, source)
        for path in found.reader.files(found.path):
            yield Member(_below(path, source), below, found.reader.name)


def _below(path: Path, source: Path) -> bytes:
    # `relative_to` takes ten times as long, of a million paths.
    prefix = os.path.join(source, "")  # noqa: PTH118 - a `Path` drops the slash
    if (name := str(path)).startswith(prefix):
        return os.fsencode(name.removeprefix(prefix))
    return b"" if path == source else os.fsencode(path.relative_to(source))


def _joined(folder: bytes, name: bytes) -> bytes:
    return b"/".join(filter(None, (folder, name)))


def _unlisted(source: Path, folder: bytes) -> Scanned:
    above = folder.rpartition(b"/")[0]
    try:
        found = source.joinpath(os.fsdecode(folder)).lstat()
    except OSError as error:
        if not folder:
            raise  # without the source itself, nobody can tell what is gone
        return Scanned(folder, above, 0, 0, _unseen(error))
    return Scanned(folder, above, 0, found.st_mtime_ns, _CLOSED)


def _scanned(entry: "os.DirEntry[bytes]", folder: bytes) -> Scanned:
    path = _joined(folder, entry.name)
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Scanned(path, folder, 0, 0, _unseen(error))
    reason = _refusal(entry.path, found.st_mode)
    return Scanned(path, folder, found.st_size, found.st_mtime_ns, reason)


def _unseen(error: OSError) -> str:
    return _DEEP if error.errno == errno.ENAMETOOLONG else _CHANGED


def _refusal(path: bytes, mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return _LINK
    if not stat.S_ISREG(mode):
        return _ODD
    return None if os.access(path, os.R_OK) else _CLOSED
