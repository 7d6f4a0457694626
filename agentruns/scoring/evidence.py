"""Everything that is known about one task, in numbers."""

from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from agentruns.models.status import Status


class LogCounts(NamedTuple):
    """How many log entries of each level a task has."""

    debug: int = 0
    info: int = 0
    warning: int = 0
    error: int = 0
    critical: int = 0


NO_LOGS = LogCounts()


@dataclass(frozen=True, slots=True)
class TaskEvidence:
    """One task as a row of numbers: what a scorer may look at."""

    task_id: UUID
    agent_id: str
    status: Status
    evidence_at: datetime
    """When something about the task was stored last; not part of the digest."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 1
    """How often the task was begun; 1 where nobody counted."""
    updates: int = 0
    """Progress updates."""
    steps: int = 0
    """Different steps; an update without a step number is a step of its own."""
    step_errors: int = 0
    """Updates that report an error in their data."""
    percent: float | None = None
    """The furthest that the task got, 0 to 100."""
    gap_mean_s: float | None = None
    """Mean time between two updates; None below two."""
    gap_max_s: float | None = None
    """The longest silence between two updates."""
    tokens: int | None = None
    cost: float | None = None
    """What the model calls cost, in the currency of the author."""
    files: int = 0
    screenshots: int = 0
    file_bytes: int = 0
    logs: LogCounts = NO_LOGS

    @property
    def repeated_steps(self) -> int:
        """Updates that tell of a step which was told of before."""
        return max(0, self.updates - self.steps)

    @property
    def retries(self) -> int:
        """How often the task was begun again."""
        return max(0, self.attempts - 1)

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None where one of them is unknown or they are swapped."""
        if self.started_at is None or self.finished_at is None:
            return None
        seconds = (self.finished_at - self.started_at).total_seconds()
        return seconds if seconds >= 0 else None

    def digest(self) -> str:
        """A name for these facts: the same facts give the same name, on any machine."""
        return blake2b(repr(_facts(self)).encode(), digest_size=16).hexdigest()


_facts = attrgetter(*(field.name for field in fields(TaskEvidence) if field.name != "evidence_at"))
