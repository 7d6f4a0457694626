"""A plain file as it is at one moment: its content, digest, size and kind."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from agentruns.recording.content import HEAD_BYTES, Kind, kind_of

#: Smaller files are read once, so that what is hashed is what is stored.
IN_MEMORY_BYTES = 8 * 1024 * 1024


class ReadFile(NamedTuple):
    """A file as it was at one moment."""

    content: bytes | Path
    sha256: str
    size: int
    kind: Kind
    modified_at: str


def read_file(path: Path) -> ReadFile:
    """The file as it is now; a large one stays where it is, and may change after this.

    Raises:
        OSError: when it is gone, may not be read, is no regular file any more, or a link leads
            to it; `Path.resolve` follows links.
    """
    with _opened(path) as file:
        status = os.fstat(file.fileno())
        content = file.read() if status.st_size <= IN_MEMORY_BYTES else path
        sha256 = _digest(content, file)
        # Where reading ended, not `st_size`: the file may have grown since.
        size = file.tell()
        file.seek(0)
        kind = kind_of(file.read(HEAD_BYTES), path)
    return ReadFile(content, sha256, size, kind, _modified_at(status))


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    # Between listing and opening a file may have become a link or a FIFO that blocks for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        # The same goes for the folders it lies in, and then it may be anybody's file.
        if os.readlink(f"/proc/self/fd/{descriptor}") != os.fspath(path):  # noqa: PTH115 - as text
            raise OSError("a link leads there")
        yield file


def _digest(content: bytes | Path, file: BufferedReader) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return hashlib.file_digest(file, "sha256").hexdigest()


def _modified_at(status: os.stat_result) -> str:
    return datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
