"""The agents that were let in, and the keys that they have."""

from datetime import datetime
from typing import Any
from uuid import UUID

from agentruns.models import utcnow
from agentruns.models.values import AgentId, Record, UtcTime


class KeyState(Record):
    """What is known of a key; its secret is known to nobody but its agent."""

    key_id: str
    agent_id: AgentId
    created_at: UtcTime
    completed_at: UtcTime | None = None
    """When all three stores had it."""
    expires_at: UtcTime | None = None
    revoked_at: UtcTime | None = None
    retired_at: UtcTime | None = None
    """When no store let it in any more."""

    @property
    def is_begun(self) -> bool:
        """Whether it was cut off before all stores had it."""
        return self.completed_at is None and self.revoked_at is None

    @property
    def is_valid(self) -> bool:
        """Whether it opens the stores now."""
        return self.state(utcnow()) in {"valid", "ending"}

    def state(self, now: datetime) -> str:
        """One word: begun, valid, ending (still valid), over or revoked."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at:
            return "ending" if self.expires_at > now else "over"
        return "valid" if self.completed_at else "begun"


class Agent(Record):
    """An agent that was let in."""

    agent_id: AgentId
    append_only: bool = False
    created_at: UtcTime
    disabled_at: UtcTime | None = None
    keys: tuple[KeyState, ...] = ()
    """The newest first."""


class AuditEntry(Record):
    """One thing that was done, as PostgreSQL itself noted it."""

    id: int
    at: UtcTime
    who: str
    """The role that did it."""
    address: str | None
    """Where it came from."""
    what: str
    agent_id: str | None
    task_id: UUID | None = None
    details: dict[str, Any]
    """For acts of components, what they said of it."""


class EntriesOver(Record):
    """What is due to be removed from the audit log."""

    days: int
    """For how long entries are kept."""
    entries: int
    """How many are older."""
    oldest: UtcTime | None
