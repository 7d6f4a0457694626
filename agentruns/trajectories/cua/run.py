"""What is known of a cua run while its parts are turned into records one by one."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import (
    Picture,
    SecretPatterns,
    clean_json,
    picture_kind,
    printable,
    redact,
)
from agentruns.models import Bucket, Level, LogEntry, StoredFile, Upload, object_path
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.fitting import Document, plain, storable
from agentruns.trajectories.cua.folder import METADATA
from agentruns.trajectories.cua.time import Moment

#: More model answers than are ever open at once.
OPEN_CALLS = 64


class Answer(NamedTuple):
    """What the model said when it asked for an action."""

    text: str
    reasoning: str
    usage: dict[str, Any]
    source: str


def _amounts(usage: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in usage.items() if type(v) in {int, float} and abs(v) < 1e15}


@dataclass(slots=True, kw_only=True)
class Run(ABC):
    """One run on its way to records, read from files or told while it happens."""

    agent_id: str
    task_id: UUID
    moment: Moment
    calls: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    pictured_inline: str = ""
    """The turn whose call result carried its own screenshot."""
    pictures: set[bytes] = field(default_factory=set)
    """The digests of all pictures seen, so that the run's end adds only what is new."""

    patterns: SecretPatterns = field(default_factory=SecretPatterns)
    """What else is a secret, as only the user knows."""
    metadata_path: str = METADATA
    """The file that tells of the run as a whole; nothing when there is none."""

    @abstractmethod
    def id(self, *source: str) -> UUID:
        """The id of the record that is made from this source."""

    @abstractmethod
    def step_of(self, artifact: Artifact) -> int:
        """The step that an artifact's pictures belong to."""

    @abstractmethod
    def is_pictured(self, artifact: Artifact) -> bool:
        """Tell whether a call's screenshot is known from elsewhere than its result."""

    def storable(self, value: dict[str, Any]) -> Document:
        """The JSON fit to be one document, and the pictures that were in it."""
        return storable(value, self.patterns)

    def plain(self, text: str) -> str:
        """A text fit to be a message."""
        return plain(text, self.patterns)

    def remember(self, answer: Answer, call_ids: Iterable[str]) -> None:
        """Keep an answer for the calls it asked for; its usage counts for the first of them."""
        for call_id in call_ids:
            self.answers[call_id] = answer
            answer = answer._replace(usage={})
        while len(self.answers) > OPEN_CALLS:
            del self.answers[next(iter(self.answers))]

    def count_usage(self, usage: dict[str, Any]) -> None:
        """Note what a step's record says was used, so that the run's end adds only the rest."""
        for name, amount in _amounts(usage).items():
            self.used[name] = self.used.get(name, 0) + amount

    def unused(self, total: dict[str, Any]) -> dict[str, float]:
        """What the whole run used beyond its steps, in answers that led to no action."""
        rest = {name: amount - self.used.get(name, 0) for name, amount in _amounts(total).items()}
        return {name: round(amount, 9) for name, amount in rest.items() if amount > 1e-9}

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
        self, artifact: Artifact, pictures: Iterable[Picture], about: dict[str, Any]
    ) -> Iterator[Upload]:
        """The pictures that were inside JSON."""
        for picture in pictures:
            metadata = {**about, "name": picture.path[-300:], "inline": True}
            yield self.upload(artifact.path, picture.content, metadata)

    def upload(self, path: str, content: bytes, about: dict[str, Any]) -> Upload:
        """A whole picture on its way to the bucket of screenshots."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.pictures.add(bytes.fromhex(sha256))
        kind = picture_kind(content)
        extension, content_type = (kind.extension, kind.content_type) if kind else ("", "unknown")
        file = StoredFile(
            id=self.id("file", path, str(about.get("name")), sha256),
            agent_id=self.agent_id,
            task_id=self.task_id,
            bucket=Bucket.SCREENSHOTS,
            object_path=object_path(self.agent_id, self.task_id, sha256, extension),
            content_type=content_type,
            size_bytes=len(content),
            sha256=sha256,
            metadata=redact(clean_json({**about, **self.origin(path)}), self.patterns).value,
            uploaded_at=self.moment.time,
        )
        return Upload(file=file, content=content)
