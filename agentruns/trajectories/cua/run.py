"""What is known of a cua run while its files are read one by one."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import (
    Picture,
    clean_json,
    clean_text,
    clip_json,
    clip_text,
    picture_kind,
    printable,
    redact,
    redact_text,
    take_pixels,
)
from agentruns.models import (
    Bucket,
    Level,
    LogEntry,
    StoredFile,
    Upload,
    imported_id,
    object_path,
)
from agentruns.trajectories.cua.folder import Artifact, Folder
from agentruns.trajectories.cua.time import Moment, from_ticks
from agentruns.trajectories.reader import Problem

#: Far below the 16 MB of a MongoDB document, and small enough to be read in bulk.
LARGEST_DOCUMENT = 900_000
LONGEST_MESSAGE = 20_000
#: More model answers than are ever open at once.
OPEN_CALLS = 64


class Answer(NamedTuple):
    """What the model said when it asked for an action."""

    text: str
    reasoning: str
    usage: dict[str, Any]
    source: str


class Document(NamedTuple):
    """JSON fit to be stored, and the pictures that were in it."""

    data: dict[str, Any]
    pictures: tuple[Picture, ...]


def storable(value: dict[str, Any]) -> Document:
    """The JSON without unstorable characters, pixels and secrets, clipped to one document."""
    pictures: list[Picture] = []
    # Depth 2 leaves room: a reference to a picture is nested deeper than the picture was.
    without_pixels = take_pixels(clean_json(value, depth=2), pictures.append)
    data, redacted = redact(without_pixels)
    if redacted:
        data = {**data, "redacted": list(redacted[:1000])}
    return Document(clip_json(data, LARGEST_DOCUMENT), tuple(pictures))


def plain(text: str) -> str:
    """A text fit to be a message: clean, without secrets, not too long."""
    # In this order: half a secret has no shape that anybody knows.
    return clip_text(redact_text(clean_text(text)), LONGEST_MESSAGE)


def _amounts(usage: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in usage.items() if type(v) in {int, float} and abs(v) < 1e15}


@dataclass(slots=True)
class Run:
    """One run on its way from files to records."""

    folder: Path
    agent_id: str
    task_id: UUID
    listing: Folder
    moment: Moment
    ended: datetime | None = None
    """When its last file was written, for a run that does not say when it ended."""
    calls: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    pictured_inline: str = ""
    """The turn whose call result carried its own screenshot."""
    pictures: set[bytes] = field(default_factory=set)
    """The digests of all pictures seen, so that metadata.json adds only what is new."""

    def id(self, *source: str) -> UUID:
        """The same record id each time the same source is read into the same task."""
        return imported_id("cua", str(self.task_id), *source)

    def at(self, value: Any, path: str) -> Iterator[Problem]:
        """Set the clock to a file's ticks; a file without any happened when the one before did."""
        if time := from_ticks(value):
            self.moment = Moment(time, "file")
            return
        if self.moment.time_from == "file":
            self.moment = Moment(self.moment.time, "file before it")
        if value is not None:
            yield Problem(printable(path), None, "created_at holds no possible time.")

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
        """A log entry at the moment of the file that is being read."""
        return LogEntry(
            id=self.id("log", *source),
            agent_id=self.agent_id,
            task_id=self.task_id,
            level=level,
            message=plain(message),
            data=document.data,
            created_at=self.moment.time,
        )

    def origin(self, path: str, sha256: str) -> dict[str, str]:
        """Where a record comes from, kept in it."""
        return {"source": printable(path), "sha256": sha256, "time_from": self.moment.time_from}

    def inline_uploads(
        self, artifact: Artifact, pictures: Iterable[Picture], about: dict[str, Any]
    ) -> Iterator[Upload]:
        """The pictures that were inside a JSON file."""
        for picture in pictures:
            metadata = {**about, "name": picture.path[-300:], "inline": True}
            yield self.upload(artifact.path, picture.content, metadata)

    def upload(self, path: str, content: bytes, about: dict[str, Any]) -> Upload:
        """A whole picture on its way to the bucket of screenshots."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.pictures.add(bytes.fromhex(sha256))
        kind = picture_kind(content)
        extension, content_type = (kind.extension, kind.content_type) if kind else ("", "unknown")
        origin = {"source": printable(path), "time_from": self.moment.time_from}
        file = StoredFile(
            id=self.id("file", path, str(about.get("name")), sha256),
            agent_id=self.agent_id,
            task_id=self.task_id,
            bucket=Bucket.SCREENSHOTS,
            object_path=object_path(self.agent_id, self.task_id, sha256, extension),
            content_type=content_type,
            size_bytes=len(content),
            sha256=sha256,
            metadata=clean_json({**about, **origin}),
            uploaded_at=self.moment.time,
        )
        return Upload(file=file, content=content)
