"""Files that somebody else wrote: no link is followed, and none is read past a limit."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentruns.trajectories.file_memory import MEMORY, Content, Fingerprint
from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.long_json import without_long_texts

#: Larger files are not held in memory.
LARGEST = 32 * 2**20
#: The longest text kept of a JSON file that is larger.
LONGEST_TEXT = 4096
PIECE = 2**20

REASONS = {
    errno.ENOENT: "The file vanished while the folder was being read.",
    errno.ELOOP: "The file is a symbolic link, and links are never followed.",
    errno.EACCES: "The file may not be read by this user; grant read rights and read again.",
    errno.ENOTDIR: "The folder is a symbolic link or no folder, and links are never followed.",
}


class Unreadable(Exception):  # noqa: N818 - the state of a file, not a fault of the program
    """A file that cannot be used, why, and where it stopped making sense."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def read_content(folder: Path, name: str, limit: int = LARGEST) -> Content:
    """A file below the folder; raises `Unreadable` for anything but a regular file in bounds."""
    known = MEMORY.content(folder, name)
    if known and len(known.data) <= limit:
        return known
    with _opened(folder, name) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise Unreadable(f"The file has {size} bytes, more than the {limit} that are read.")
        data = b"".join(_pieces(descriptor, limit))
    content = Content(data, hashlib.sha256(data).hexdigest())
    MEMORY.keep(folder, name, content)
    return content


def fingerprint(folder: Path, name: str) -> Fingerprint:
    """The SHA-256 and size of a file of any size, in constant memory."""
    if known := MEMORY.fingerprint(folder, name):
        return known
    digest, size, holds_nul = hashlib.sha256(), 0, False
    with _opened(folder, name) as descriptor:
        for piece in _pieces(descriptor):
            digest.update(piece)
            size += len(piece)
            holds_nul = holds_nul or b"\0" in piece
    return Fingerprint(digest.hexdigest(), size, holds_nul)


def pieces_of(folder: Path, name: str) -> Iterator[bytes]:
    """The bytes of a file of any size, in constant memory."""
    with _opened(folder, name) as descriptor:
        yield from _pieces(descriptor)


def read_without_long_texts(folder: Path, name: str) -> bytes:
    """A JSON file of any size without the ends of its long texts."""
    with _opened(folder, name) as descriptor:
        data = without_long_texts(_pieces(descriptor), LONGEST_TEXT)
    if len(data) > LARGEST:
        raise Unreadable(f"The file has more than {LARGEST} bytes even without its long texts.")
    return data


def read_pieces(folder: Path, name: str) -> Iterator[bytes]:
    """A file of any size, piece by piece; raises `Unreadable` as `read_content` does."""
    with _opened(folder, name) as descriptor:
        yield from _pieces(descriptor)


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in the data; raises `Unreadable` for everything else."""
    if not data:
        raise Unreadable("The file is empty.", 0)
    document = parse(data)
    if not isinstance(document, dict):
        raise Unreadable(f"The file holds a JSON {type(document).__name__}, not an object.", 0)
    return document


def parse(data: bytes) -> Any:
    """The JSON in the data; raises `Unreadable` where it is none."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        raise Unreadable("The JSON is broken or cut off.", offset) from None
    except UnicodeDecodeError as error:
        raise Unreadable("The file is not UTF-8.", error.start) from None
    except RecursionError:
        raise Unreadable("The JSON is nested too deeply to be read.") from None
    except ValueError:
        raise Unreadable("The JSON holds a number that is too long to be read.") from None


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[int]:
    try:
        descriptor = _open_below(folder, name.split("/"))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("The file is a pipe, device or folder, which is never read.")
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        HICCUPS.note(error)
        raise Unreadable(REASONS.get(error.errno or 0, "The file could not be read.")) from None


def _open_below(folder: Path, parts: list[str]) -> int:
    """Open part by part, so that no link on the way is followed even if it was just put there."""
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    for part in parts:
        kind = os.O_NONBLOCK if part is parts[-1] else os.O_DIRECTORY
        try:
            inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=here)
        finally:
            os.close(here)
        here = inner
    return here


def _pieces(descriptor: int, limit: int | None = None) -> Iterator[bytes]:
    # Asking for no more than there is: a large buffer that shrinks to a small file never fits
    # where the one before it was, and memory would grow with every file that is read.
    size, seen = os.fstat(descriptor).st_size, 0
    most = min(PIECE, size + 1) if size else PIECE
    read: Callable[[], bytes] = lambda: os.read(descriptor, most)  # noqa: E731 - iter() wants a callable
    for piece in iter(read, b""):
        seen += len(piece)
        if limit is not None and seen > limit:
            raise Unreadable(f"The file grew past the {limit} bytes that are read.")
        yield piece
