"""What every foreign run has, while its parts are turned into records one by one."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from agentruns.cleaning import (
    NOT_PLAIN,
    Picture,
    SecretPatterns,
    clean_json,
    picture_kind,
    plain_json,
    printable,
    redact,
)
from agentruns.models import Bucket, Level, LogEntry, StoredFile, Upload, object_path
from agentruns.trajectories.fitting import Document, plain, storable
from agentruns.trajectories.times import Moment


@dataclass(slots=True, kw_only=True)
class ForeignRun(ABC):
    """One run on its way to records: whose they are, when, where from, and without secrets."""

    agent_id: str
    task_id: UUID
    moment: Moment
    pictures: set[bytes] = field(default_factory=set)
    """The digests of all pictures seen, so that the run's end adds only what is new."""

    patterns: SecretPatterns = field(default_factory=SecretPatterns)
    """What else is a secret, as only the user knows."""

    @abstractmethod
    def id(self, *source: str) -> UUID:
        """The id of the record that is made from this source."""

    def storable(self, value: dict[str, Any]) -> Document:
        """The JSON fit to be one document, and the pictures that were in it."""
        return storable(value, self.patterns)

    def plain(self, text: str) -> str:
        """A text fit to be a message."""
        return plain(text, self.patterns)

    def log(self, level: Level, message: str, document: Document, *source: str) -> LogEntry:
        """A log entry at the present moment of the run."""
        return LogEntry(
            id=self.id("log", *source),
            agent_id=self.agent_id,
            task_id=self.task_id,
            level=level,
            message=self.plain(message),
            data=document.data,
            created_at=self.moment.time,
        )

    def origin(self, path: str, sha256: str = "") -> dict[str, str]:
        """Where a record comes from, kept in it; what is no file has no hash."""
        known = {"sha256": sha256} if sha256 else {}
        return {"source": printable(path), **known, "time_from": self.moment.time_from}

    def inline_uploads(
        self, path: str, pictures: Iterable[Picture], about: dict[str, Any]
    ) -> Iterator[Upload]:
        """The pictures that were inside the JSON at the path."""
        for picture in pictures:
            metadata = {**about, "name": picture.path[-300:], "inline": True}
            yield self.upload(path, picture.content, metadata)

    def upload(self, path: str, content: bytes, about: dict[str, Any]) -> Upload:
        """A whole picture on its way to the bucket of screenshots."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.pictures.add(bytes.fromhex(sha256))
        # One file may show several parts of a run; those who number their parts say so.
        part = (str(about["of"]),) if "of" in about else ()
        kind = picture_kind(content)
        extension, content_type = (kind.extension, kind.content_type) if kind else ("", "unknown")
        file = StoredFile(
            id=self.id("file", path, str(about.get("name")), sha256, *part),
            agent_id=self.agent_id,
            task_id=self.task_id,
            bucket=Bucket.SCREENSHOTS,
            object_path=object_path(self.agent_id, self.task_id, sha256, extension),
            content_type=content_type,
            size_bytes=len(content),
            sha256=sha256,
            metadata=self._cleaned({**about, **self.origin(path)}),
            uploaded_at=self.moment.time,
        )
        return Upload(file=file, content=content)

    def _cleaned(self, about: dict[str, Any]) -> dict[str, Any]:
        kept = plain_json(self.patterns).copy(about)
        if kept is NOT_PLAIN:
            kept = redact(clean_json(about), self.patterns).value
        return cast(dict[str, Any], kept)
