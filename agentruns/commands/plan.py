"""What is to be recorded, and the words that describe it in the stores."""

import shlex
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import Field, field_validator

from agentruns.cleaning import clip_text
from agentruns.commands.command_secrets import without_secrets
from agentruns.models import AgentId, Level, LogEntry, new_id
from agentruns.models.values import Record

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

    def shown_title(self) -> str:
        """What people call the run; without words for it the command, shortened."""
        return self.title.strip() or clip_text(shlex.join(self.shown_command()), LONGEST_TITLE)

    def facts(self) -> dict[str, Any]:
        """What is kept with the task besides its title."""
        return self.metadata | {"command": self.shown_command()}

    def note(self, level: Level, message: str, **data: object) -> LogEntry:
        """What the recorder itself has to say about the run."""
        return LogEntry(
            agent_id=self.agent_id,
            task_id=self.task_id,
            level=level,
            message=message,
            data={"stream": "recorder", **data},
        )
