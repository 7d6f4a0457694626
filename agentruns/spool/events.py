"""Records as they lie in a spool, and back."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, ValidationError

from agentruns.models import (
    AgentTask,
    AnyRecord,
    LogEntry,
    Memory,
    ProgressUpdate,
    StoredFile,
    Upload,
)
from agentruns.models.kinds import COUNTED_AS
from agentruns.spool.lanes import Lane, lane_of

KINDS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (AgentTask, ProgressUpdate, LogEntry, Memory, StoredFile)
}
#: The words under which events are counted.
COUNTED = tuple(COUNTED_AS[kind] for kind in KINDS)


class Row(NamedTuple):
    """A record ready to be written."""

    lane: Lane
    kind: str
    task_id: UUID | None
    """Whose sequence it takes a number of; None for those that have none."""
    payload: str


@dataclass(frozen=True, slots=True)
class Event:
    """A record as it was found in a spool, or what is wrong with it."""

    segment: str
    position: int
    """Its place in the lane of its segment, from 1."""
    sequence: int | None
    kind: str
    payload: str
    record: AnyRecord | None = None
    damage: str | None = None
    """Why there is no record."""

    @property
    def size(self) -> int:
        """How many bytes it brings along."""
        content = self.record.file.size_bytes if isinstance(self.record, Upload) else 0
        return len(self.payload) + content

    @property
    def session(self) -> str:
        """The session that wrote it."""
        return self.segment.partition("/")[0]


def as_row(record: AnyRecord) -> Row:
    """The record as it is written; of an upload, what is said about its object."""
    kept = record.file if isinstance(record, Upload) else record
    # A task tells its state; only what happens in it has a place in its order, and keeps it.
    if isinstance(kept, AgentTask) or getattr(kept, "sequence", None) is not None:
        task_id = None
    else:
        task_id = kept.task_id
    return Row(lane_of(record), type(kept).__name__, task_id, kept.model_dump_json())


def checksum(payload: str) -> int:
    """What tells a payload from one in which a bit was flipped."""
    return zlib.crc32(payload.encode())


def check(payload: str, then: int | None) -> None:
    """Compare a payload with its checksum; one from before there were checksums passes.

    Raises:
        ValueError: when they don't fit.
    """
    if then is not None and checksum(payload) != then:
        raise ValueError("it is not what was written: its checksum does not fit")


def object_name(file: StoredFile) -> str:
    """What the object of a file is called beside its events."""
    return file.object_path.rpartition("/")[2]


def read_record(kind: str, payload: str, sequence: int | None, objects: Path) -> AnyRecord:
    """The record of an event.

    Raises:
        ValueError: when it is none, or its object is not there as a whole.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of record")
    try:
        record = KINDS[kind].model_validate_json(payload)
    except ValidationError as error:
        raise ValueError(_in_words(kind, error)) from None
    if sequence is not None:
        # Nobody else has seen it yet; a copy would cost a fifth of reading it.
        vars(record)["sequence"] = sequence
    return _with_object(record, objects) if isinstance(record, StoredFile) else record  # type: ignore[return-value]  # KINDS has records only


def _with_object(file: StoredFile, objects: Path) -> Upload:
    path = objects / object_name(file)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ValueError(f"its object is not in the spool ({error.strerror})") from None
    if size != file.size_bytes:
        raise ValueError(f"its object has {size} bytes where {file.size_bytes} were written")
    return Upload(file=file, content=path)


def _in_words(kind: str, error: ValidationError) -> str:
    # Without the input: it may hold what a report has no right to.
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"it is no valid {kind}: {place or 'the whole'}: {first['msg']}"
