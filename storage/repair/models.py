"""What is looked at, what is planned, and what came of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, NamedTuple
from uuid import UUID

from storage.minio.keeping import Place

Kind = Literal[
    "look",
    "seek",
    "mend row",
    "quarantine",
    "restore",
    "mark missing",
    "register",
    "for a person",
]
Outcome = Literal["done", "changed", "failed"]

#: `{agent}/{task}/{sha256}{extension}`; as in `compare_inventory`.
_AGENT = "[a-z0-9][a-z0-9_-]{0,56}"
_NAME = re.compile(
    rf"(?P<agent>{_AGENT})"
    r"/(?:no-task|(?P<task>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))"
    r"/(?P<sha256>[0-9a-f]{64})(?P<extension>(?:\.[a-z0-9]{1,10}){0,2})"
)


class Turn(IntEnum):
    """What comes before what; the first three are yet to be decided."""

    FILES = 0
    OBJECTS = 1
    SEEK = 2
    MEND = 3
    QUARANTINE = 4
    RESTORE = 5
    MISSING = 6
    REGISTER = 7
    PERSON = 8


#: What is done, in this order: a row is mended before an object is taken for nobody's.
TO_APPLY = (Turn.MEND, Turn.QUARANTINE, Turn.RESTORE, Turn.MISSING, Turn.REGISTER)


class Named(NamedTuple):
    """What the name of an object promises."""

    agent: str
    task: UUID | None
    sha256: str
    extension: str

    @property
    def path(self) -> str:
        """The name itself."""
        return f"{self.agent}/{self.task or 'no-task'}/{self.sha256}{self.extension}"


def named(path: str) -> Named | None:
    """What a name promises; None for a name that none of ours has."""
    if not (found := _NAME.fullmatch(path)):
        return None
    task = found["task"]
    return Named(found["agent"], UUID(task) if task else None, found["sha256"], found["extension"])


def is_agent(name: str) -> bool:
    """Whether an agent can be called like this."""
    return re.fullmatch(_AGENT, name) is not None


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair, or the plan of one."""

    id: UUID
    began_at: datetime
    snapshot_id: UUID
    agent: str | None
    collected_at: datetime | None
    planned_at: datetime | None
    is_applied: bool
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to look at, or to do, and why."""

    turn: int
    id: UUID
    kind: Kind
    reason: str
    record: str | None = None
    """The table whose row it is about."""
    row_id: UUID | None = None
    bucket: str | None = None
    object_path: str | None = None
    agent: str | None = None
    task: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where its object lies, or belongs."""
        return Place(self.bucket or "", self.object_path or "")


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One line of a plan, as people read it."""

    turn: int
    id: UUID
    kind: Kind
    record: str | None
    row_id: UUID | None
    bucket: str | None
    object_path: str | None
    agent: str | None
    reason: str
    outcome: Outcome | None
    told: str | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row as it is now, and what is known about whose it is."""

    id: UUID
    agent_id: str | None
    task_id: UUID | None
    bucket: str | None
    object_path: str
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    etag: str | None
    metadata: dict[str, Any]
    uploaded_at: datetime
    stored_at: datetime | None
    missing_since: datetime | None
    is_ahead: bool | None
    """Whether it says to have come later than now."""
    seen: str
    """By which it is known again."""
    agent_of_task: str | None
    """None: there is no such task."""
    named_task: UUID | None
    """The task that its path names, where there is one."""
    agent_of_named: str | None


class ObjectFacts(NamedTuple):
    """What PostgreSQL knows of an object that has no row."""

    has_row: bool
    is_taken: bool
    """Whether something that is planned needs it."""
    knows_agent: bool
    agent_of_task: str | None
    is_deleted: bool
    """Whether its task or agent was deleted for good: whoever deletes comes back for it."""
