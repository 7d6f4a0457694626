"""Plain files that a command leaves, as uploads."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from uuid import UUID

from agentruns.cleaning import printable
from agentruns.models import StoredFile, Upload, imported_id, object_path
from agentruns.recording.content import HEAD_BYTES, kind_of

#: Smaller files are read once, so that what is hashed is what is stored.
IN_MEMORY_BYTES = 8 * 1024 * 1024


def upload_of(path: Path, name: Path, agent_id: str, task_id: UUID) -> Upload:
    """The file as it is now, with an id that names its content.

    Raises:
        OSError: when it is gone, may not be read, or is no regular file any more.
    """
    with _opened(path) as file:
        status = os.fstat(file.fileno())
        content = file.read() if status.st_size <= IN_MEMORY_BYTES else path
        sha256 = _digest(content, file)
        file.seek(0)
        kind = kind_of(file.read(HEAD_BYTES), path)
    stored = StoredFile(
        id=imported_id(str(task_id), printable(str(name)), sha256),
        agent_id=agent_id,
        task_id=task_id,
        bucket=kind.bucket,
        object_path=object_path(agent_id, task_id, sha256, kind.extension),
        content_type=kind.content_type,
        size_bytes=len(content) if isinstance(content, bytes) else status.st_size,
        sha256=sha256,
        metadata={"name": printable(str(name)), "modified_at": _modified_at(status)},
    )
    return Upload(file=stored, content=content)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    # Between listing and opening a file may have become a link or a FIFO that blocks for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        yield file


def _digest(content: bytes | Path, file: BufferedReader) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return hashlib.file_digest(file, "sha256").hexdigest()


def _modified_at(status: os.stat_result) -> str:
    return datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
