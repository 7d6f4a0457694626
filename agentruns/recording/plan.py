"""What is to be recorded, and the words that describe it in the stores."""

import shlex
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import Field, field_validator

from agentruns.cleaning import clean_json, clean_text, clip_text, redact
from agentruns.models import AgentId, AgentTask, Level, LogEntry, Status, new_id, utcnow
from agentruns.models.values import JsonObject, Record
from agentruns.recording.withheld import without_secrets

LONGEST_TITLE = 120
MOST_ATTEMPTS = 100


class RunPlan(Record):
    """A command to be run for an agent, and the task that keeps it."""

    task_id: UUID = Field(default_factory=new_id)
    agent_id: AgentId
    command: tuple[str, ...] = Field(min_length=1)
    title: str = Field(default="", max_length=400)
    description: str | None = None
    watch: tuple[Path, ...] = ()
    attempts: int = Field(default=1, ge=1, le=MOST_ATTEMPTS)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("watch")
    @classmethod
    def _folders(cls, watch: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in watch:
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path} is not a folder; watch the folder it lies in")
        return watch

    def shown_command(self) -> list[str]:
        """The command without the secrets that may be in it."""
        return without_secrets(self.command)

    def continuing(self, known: AgentTask) -> "RunPlan":
        """The same plan for a task that is known: what is not told anew stays."""
        told = {
            "title": self.title or known.title,
            "description": self.description or known.description,
            "metadata": known.metadata | self.metadata,
        }
        return self.model_copy(update=told)

    def task(self, status: Status, facts: JsonObject) -> AgentTask:
        """The task as it is from this moment on, with its facts as metadata."""
        now = utcnow()
        shown = self.shown_command()
        return AgentTask(
            id=self.task_id,
            agent_id=self.agent_id,
            title=_clean(self.title).strip() or clip_text(shlex.join(shown), LONGEST_TITLE),
            description=_clean(self.description) if self.description else None,
            status=status,
            status_at=now,
            metadata=redact(clean_json(self.metadata)).value | {"command": shown} | facts,
            started_at=now if status is Status.IN_PROGRESS else None,
            finished_at=None if status is Status.IN_PROGRESS else now,
        )

    def note(self, level: Level, message: str, **data: object) -> LogEntry:
        """What the recorder itself has to say about the run."""
        return LogEntry(
            agent_id=self.agent_id,
            task_id=self.task_id,
            level=level,
            message=message,
            data={"stream": "recorder", **data},
        )


def _clean(text: str) -> str:
    return str(redact(clean_text(text)).value)
