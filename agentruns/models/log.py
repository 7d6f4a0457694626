"""What an agent says and what it keeps."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from agentruns.models.clock import utcnow
from agentruns.models.ids import new_id
from agentruns.models.values import AgentId, JsonObject, Name, Ordinal, Record, Text, UtcTime


class Level(StrEnum):
    """How much a log entry matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogEntry(Record):
    """One line of an agent's log."""

    id: UUID = Field(default_factory=new_id)
    agent_id: AgentId
    task_id: UUID | None = None
    level: Level = Level.INFO
    message: Text
    data: JsonObject = Field(default_factory=dict)
    created_at: UtcTime = Field(default_factory=utcnow)
    sequence: Ordinal = None
    """Place among everything its recorder said about the task, from 1; a gap did not arrive."""


class Memory(Record):
    """One thing an agent wants to know in a later task."""

    id: UUID = Field(default_factory=new_id)
    agent_id: AgentId
    task_id: UUID | None = None
    memory_type: Name = "observation"
    content: Text
    data: JsonObject = Field(default_factory=dict)
    created_at: UtcTime = Field(default_factory=utcnow)
    sequence: Ordinal = None
    """Place among everything its recorder said about the task, from 1; a gap did not arrive."""
