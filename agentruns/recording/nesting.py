"""Which run a piece of code belongs to, and whether a new run joins a task that is under way."""

import os
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from agentruns.models import new_id
from agentruns.recording.arguments import as_uuid

#: The task of the innermost `with recorder.run(...)` around the running code.
CURRENT_TASK: ContextVar[UUID | None] = ContextVar("agentruns_current_task", default=None)


class RunTask(NamedTuple):
    """The task that a run records, and what the run has to do with other tasks."""

    task_id: UUID
    joins: bool = False
    """Whether somebody else tells how the task goes."""
    parent: UUID | None = None
    is_known: bool = False
    """Whether the task may have had another run before, which had an end of its own."""


def task_of_run(agent_id: str, task_id: UUID | str | None) -> RunTask:
    """The task of a new run of the agent: the one that is asked for, else joined, else a new one.

    Raises:
        ValueError: when `task_id` or AGENTRUNS_TASK_ID is no UUID.
    """
    around = CURRENT_TASK.get()
    recorded = _recorded_task()
    if task_id is None and around is None and recorded and _is_of(agent_id):
        return RunTask(recorded, joins=True)
    own = new_id() if task_id is None else as_uuid("task_id", task_id)
    parent = around or recorded
    return RunTask(own, parent=parent if parent != own else None, is_known=task_id is not None)


def _recorded_task() -> UUID | None:
    told = os.environ.get("AGENTRUNS_TASK_ID")
    return as_uuid("AGENTRUNS_TASK_ID", told) if told else None


def _is_of(agent_id: str) -> bool:
    # A task belongs to one agent; what another one does meanwhile is a task of its own.
    return os.environ.get("AGENT_ID", agent_id) == agent_id
