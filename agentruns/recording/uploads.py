"""Pictures and files on their way into the spool: read and digested once, never decoded."""

import hashlib
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import Picture, picture_fault, printable
from agentruns.models import Bucket, StoredFile, Upload, new_id, object_path
from agentruns.recording.content import HEAD_BYTES, Kind, kind_of
from agentruns.recording.read_file import read_file

#: No system knows longer ones; a picture as base64 has no place in an error.
LONGEST_PATH = 4096


class Owner(NamedTuple):
    """Whose file it is, and since when."""

    agent_id: str
    task_id: UUID
    at: datetime


class Content(NamedTuple):
    """What is to be stored, and what can be said about it without being told."""

    content: bytes | Path
    kind: Kind
    sha256: str
    size: int
    facts: dict[str, Any]

    def called(self, content_type: str | None) -> "Content":
        """The same under the content type that its author gives it, where one is given."""
        if content_type is None:
            return self
        return self._replace(kind=self.kind._replace(content_type=content_type))


def content_of(given: object, name: str | None = None) -> Content:
    """The bytes, or the file at a path as it is now.

    Raises:
        ValueError: when it is neither, or the file cannot be read.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return _of_bytes(bytes(given), name)
    if isinstance(given, str) and len(given) > LONGEST_PATH:
        raise ValueError(
            f"content must be bytes or a path, not a text of {len(given)} characters: "
            "decode what is base64"
        )
    if isinstance(given, str | Path):
        return _of_path(Path(given), name)
    raise ValueError(f"content must be bytes or a path, not {type(given).__name__}")


def with_fault(content: Content) -> Content:
    """The content as it is meant to be a picture; what is none is kept as a file that says why."""
    # Only the whole tells whether a picture is whole; the largest are not held in memory.
    whole = isinstance(content.content, bytes)
    if whole and (fault := picture_fault(content.content)):  # type: ignore[arg-type]  # bytes, see above
        kind = content.kind._replace(bucket=Bucket.BINARIES)
        return content._replace(kind=kind, facts={**content.facts, "fault": fault})
    return content


def content_of_picture(picture: Picture) -> Content:
    """A picture that was found inside JSON or text."""
    kind = Kind(Bucket.SCREENSHOTS, picture.content_type, picture.extension)
    facts = {"path": picture.path}
    return with_fault(Content(picture.content, kind, picture.sha256, len(picture.content), facts))


def upload(content: Content, owner: Owner, metadata: dict[str, Any]) -> Upload:
    """The content as a file of the task."""
    file = StoredFile(
        id=new_id(),
        agent_id=owner.agent_id,
        task_id=owner.task_id,
        bucket=content.kind.bucket,
        object_path=object_path(
            owner.agent_id, owner.task_id, content.sha256, content.kind.extension
        ),
        content_type=content.kind.content_type,
        size_bytes=content.size,
        sha256=content.sha256,
        metadata=metadata,
        uploaded_at=owner.at,
    )
    return Upload(file=file, content=content.content)


def _of_bytes(content: bytes, name: str | None) -> Content:
    kind = kind_of(content[:HEAD_BYTES], PurePath(name or ""))
    digest = hashlib.sha256(content).hexdigest()
    return Content(content, kind, digest, len(content), {"name": name} if name else {})


def _of_path(path: Path, name: str | None) -> Content:
    try:
        read = read_file(path.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"content must be a regular file that can be read: {path}: {why}"
        ) from None
    facts = {"name": name or printable(path.name), "modified_at": read.modified_at}
    return Content(read.content, read.kind, read.sha256, read.size, facts)
