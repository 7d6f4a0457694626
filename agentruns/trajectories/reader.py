"""What every reader of a foreign format promises."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Protocol, TypeAlias
from uuid import UUID

from agentruns.cleaning import SecretPatterns
from agentruns.models import AnyRecord, Status


@dataclass(frozen=True, slots=True)
class Problem:
    """One part of a trajectory that could not be read; the rest of it was."""

    path: str
    """Relative to the item that was read, printable whatever the file's name is."""
    offset: int | None
    """The byte where reading stopped making sense, where that is known."""
    reason: str
    """One sentence without any of the file's content."""


#: What reading gives: a record, or the reason why there is none.
Records: TypeAlias = Iterator[AnyRecord | Problem]


class TrajectoryReader(Protocol):
    """Reads what one tool leaves on disk."""

    @property
    def name(self) -> str:
        """The format's short name, kept with everything that was read from it."""

    def recognise(self, path: Path) -> bool:
        """Tell whether the path is one item of this format, without reading much of it."""

    def items(self, folder: Path) -> Iterator[Path]:
        """Every item of this format in the folder, itself included, in order of their paths."""

    def files(self, item: Path) -> Iterator[Path]:
        """Every path that the item is made of, also links and pipes, in order; none is opened."""

    def read(  # noqa: PLR0913 - options by name, each with its default
        self,
        item: Path,
        agent_id: str,
        task_id: UUID | None = None,
        *,
        after: int = -1,
        unfinished: Status = Status.INTERRUPTED,
        patterns: SecretPatterns | None = None,
        timezone: tzinfo = UTC,
    ) -> Records:
        """Everything in the item, in order, with equal ids each time; never raises for bad input.

        Args:
            item: one of `items`.
            agent_id: whose records they become.
            task_id: the task they belong to. Without it the first record is their AgentTask.
            after: skip the files up to this number, which were read before.
            unfinished: the status of a run that says it is still running.
            patterns: what else is a secret, as only the user knows.
            timezone: of times that were written down without one; records made of such a time say
                so in their metadata.
        """
