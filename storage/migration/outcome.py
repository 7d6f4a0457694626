"""What became of an item, as it is kept."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from agentruns.trajectories import Problem
from storage.migration.models import Item
from storage.migration.sighting import Sighting


class FileOutcome(NamedTuple):
    """What became of one file."""

    path: bytes
    status: str
    reason: str | None
    sha256: str | None


@dataclass(slots=True)
class Outcome:
    """What became of one item."""

    item: Item
    status: str = "pending"
    """`pending` when it has to wait for the next run."""
    reason: str | None = None
    task_ids: list[UUID] = field(default_factory=list)
    archive_path: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    files: list[FileOutcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    recorded_as: UUID | None = None
    """The task of its live recording, when it has one."""
    sighting: Sighting | None = None
    compared: list[UUID] = field(default_factory=list)
    """The live tasks that it was compared with."""
