"""An assignment to an agent, and its steps."""

from uuid import UUID

from pydantic import Field

from agentruns.models.clock import utcnow
from agentruns.models.ids import new_id
from agentruns.models.status import Status
from agentruns.models.values import (
    AgentId,
    JsonObject,
    Name,
    Ordinal,
    Percent,
    Record,
    Text,
    UtcTime,
)


class AgentTask(Record):
    """One assignment to one agent, and everything recorded about it hangs on its id."""

    id: UUID = Field(default_factory=new_id)
    agent_id: AgentId
    title: Name
    description: Text | None = None
    status: Status = Status.PENDING
    status_at: UtcTime = Field(default_factory=utcnow)
    """When the status was reached; an older one never replaces a newer one."""
    metadata: JsonObject = Field(default_factory=dict)
    created_at: UtcTime = Field(default_factory=utcnow)
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None
    updated_at: UtcTime | None = None
    """When the stores last heard of the task; written by them, never by an author."""


class ProgressUpdate(Record):
    """One step of a task."""

    id: UUID = Field(default_factory=new_id)
    task_id: UUID
    agent_id: AgentId
    step: int | None = Field(default=None, ge=0, lt=2**31)
    progress_percent: Percent | None = None
    """How much of the task is done, 0 to 100, where the agent knows."""
    message: Text = ""
    data: JsonObject = Field(default_factory=dict)
    timestamp: UtcTime = Field(default_factory=utcnow)
    sequence: Ordinal = None
    """Place among everything its recorder said about the task, from 1; a gap did not arrive."""
