"""Files that belong to a task: the row, and the content on its way to the object store."""

from enum import StrEnum
from pathlib import Path
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from agentruns.models.clock import utcnow
from agentruns.models.ids import new_id
from agentruns.models.values import (
    AgentId,
    JsonObject,
    Name,
    ObjectPath,
    Ordinal,
    Record,
    Sha256,
    UtcTime,
)


class Bucket(StrEnum):
    """The two places for objects."""

    SCREENSHOTS = "screenshots"
    BINARIES = "binaries"


def object_path(agent_id: str, task_id: UUID | None, sha256: str, extension: str) -> str:
    """The name that proves its content: `{agent_id}/{task_id}/{sha256}{extension}`."""
    return f"{agent_id}/{task_id or 'no-task'}/{sha256}{extension}"


class StoredFile(Record):
    """The metadata row of one object."""

    id: UUID = Field(default_factory=new_id)
    agent_id: AgentId
    task_id: UUID | None = None
    bucket: Bucket
    object_path: ObjectPath
    content_type: Name
    size_bytes: int = Field(ge=0)
    sha256: Sha256
    etag: Name | None = None
    """What the object store answered; None until the object is there."""
    metadata: JsonObject = Field(default_factory=dict)
    """Human name, step and whatever else the author wants to find the file by."""
    uploaded_at: UtcTime = Field(default_factory=utcnow)
    sequence: Ordinal = None
    """Place among everything its recorder said about the task, from 1; a gap did not arrive."""

    @model_validator(mode="after")
    def _lies_under_its_agent(self) -> Self:
        if not self.object_path.startswith(f"{self.agent_id}/"):
            raise ValueError(f"object_path must start with '{self.agent_id}/'")
        return self


class MissingFile(StoredFile):
    """A row whose object is lost, as far as a repair could find out."""

    missing_since: UtcTime


class Upload(Record):
    """A stored file together with its content, bytes or a file on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    file: StoredFile
    content: bytes | Path = Field(repr=False)
