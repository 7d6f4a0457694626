"""What is known of an inventory and its parts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One inventory of the object store, as of the moment at which it began."""

    id: UUID
    started_at: datetime
    grace: timedelta
    """An object that was younger at that moment may still get its row."""
    finished_at: datetime | None
    objects: int
    size_bytes: int


class Part(NamedTuple):
    """What one agent has in one bucket, and how far it is listed."""

    bucket: str
    prefix: str
    """Ends in a slash; empty for what lies beside all agents."""
    reached: str = ""
    """The last name that is kept."""
