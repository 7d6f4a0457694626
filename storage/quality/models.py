"""What a check found, and the run that it belongs to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from agentruns.models.values import Record


class Severity(StrEnum):
    """How bad it is when a check finds something; the gate looks at errors."""

    ERROR = "error"  #: the data cannot be trusted
    WARNING = "warning"  #: somebody should look at it
    INFO = "info"  #: good to know


class CheckResult(Record):
    """What one check found."""

    name: str
    subject: str
    """The table that it is about."""
    severity: Severity
    passed: bool
    bad_rows: int | None
    """None when the check could not be asked, or counts no rows."""
    message: str
    """What is wrong when it finds something."""
    sample: list[dict[str, Any]]
    """The first of the bad rows."""
    fault: str | None = None
    """Why the check could not be asked; then it says nothing about the data."""

    @property
    def closes_the_gate(self) -> bool:
        """Whether the data cannot be trusted because of this."""
        return not self.passed and self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class QualityRun:
    """One run of the checks."""

    id: UUID
    started_at: datetime
    finished_at: datetime | None
    snapshot_id: UUID | None
    passed: bool | None
    """None when the run did not come to its end."""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What one run found, in numbers."""

    id: UUID
    started_at: datetime
    passed: bool | None
    errors: int
    """Checks of this severity that found something, or could not be asked."""
    warnings: int
    infos: int
    bad_rows: int
