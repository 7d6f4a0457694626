"""What is to be recorded, and the words that describe it in the stores."""

import shlex
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import Field, field_validator

from agentruns.cleaning import clean_json, clean_text, clip_text, redact
from agentruns.models import AgentId, AgentTask, Level, LogEntry, Status, new_id, utcnow
from agentruns.models.values import JsonObject, Record

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
        options = ("", *self.command)
        return [
            _argument(option, value) for option, value in zip(options, self.command, strict=False)
        ]

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


def _argument(option: str, value: str) -> str:
    """The value, judged by its own shape and by the option before it (`--api-key VALUE`)."""
    # An option that brings its value along (`--x=y`) says nothing about the next argument.
    name = option.lstrip("-") if option.startswith("-") and "=" not in option else ""
    (shown,) = redact({name: clean_text(value)}).value.values()
    return str(shown)


def _clean(text: str) -> str:
    return str(redact(clean_text(text)).value)
