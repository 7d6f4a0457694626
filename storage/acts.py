"""What components tell the audit log of; who, from where and when is PostgreSQL's to say."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

#: As in the table `audited_acts`, which says whose act each of them is.
What = Literal[
    "address signed",
    "logs read",
    "data deleted",
    "data repaired",
    "retention applied",
    "source cut over",
]


class Act(NamedTuple):
    """Whose data something was done to, and what there is to know of it; never a secret."""

    agent_id: str | None = None
    task_id: UUID | None = None
    details: dict[str, Any] | None = None
    """At most 4,096 bytes as JSON."""

    def entry(self) -> dict[str, Any]:
        """The entry as the database reads it."""
        task_id = None if self.task_id is None else str(self.task_id)
        return {"agent_id": self.agent_id, "task_id": task_id, "details": self.details or {}}


class Auditor(Protocol):
    """Whoever keeps the audit log; PostgresAdapter does."""

    def audit(self, what: What, acts: Sequence[Act], /) -> None:
        """Note what is about to be done; what this raises forbids it."""
