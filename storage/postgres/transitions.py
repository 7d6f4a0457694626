"""Which news of a task replaces what is known, so that the order of arrival never matters.

The status that counts is `replaces`' choice. Title and description are those of the earliest
`created_at`, the task's creation. Metadata add up; where both speak, the status that counts does.
"""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from agentruns.models import ENDED, MAY_FOLLOW, AgentTask, Status

_STEPS = {(earlier, later) for earlier in Status for later in MAY_FOLLOW[earlier]}

#: Steps without return: news of them counts whenever it arrives.
ONE_WAY = [f"{a}>{b}" for a, b in _STEPS if (b, a) not in _STEPS]

#: Steps that can be undone, and the same status told again: the newer time decides.
BY_TIME = [f"{a}>{b}" for a, b in _STEPS if (b, a) in _STEPS] + [f"{a}>{a}" for a in Status]


def replaces(told: AgentTask, known: AgentTask) -> bool:
    """Whether what is told of a task counts against what is known of it."""
    step = f"{known.status}>{told.status}"
    newer = (told.status_at, told.status.value) > (known.status_at, known.status.value)
    return step in ONE_WAY or (step in BY_TIME and newer)


def collapsed(tasks: Iterable[AgentTask]) -> list[AgentTask]:
    """One state for each task, the one that counts, in the order of their ids."""
    known: dict[UUID, AgentTask] = {}
    for told in map(with_times, tasks):
        known[told.id] = _merged(told, known[told.id]) if told.id in known else told
    return sorted(known.values(), key=attrgetter("id"))


def with_times(task: AgentTask) -> AgentTask:
    """The task with the times that its status implies, where the author left them out."""
    if task.status is Status.IN_PROGRESS and task.started_at is None:
        return task.model_copy(update={"started_at": task.status_at})
    if task.status in ENDED and task.finished_at is None:
        return task.model_copy(update={"finished_at": task.status_at})
    return task


def _merged(told: AgentTask, known: AgentTask) -> AgentTask:
    other, winner = (known, told) if replaces(told, known) else (told, known)
    creation = min(told, known, key=_birth)
    starts = [task.started_at for task in (told, known) if task.started_at]
    return winner.model_copy(
        update={
            "title": creation.title,
            "description": creation.description,
            "created_at": creation.created_at,
            "started_at": min(starts, default=None),
            "metadata": other.metadata | winner.metadata,
        }
    )


def _birth(task: AgentTask) -> tuple[datetime, str, bool, str]:
    """Sorts the creation of a task first; the words only settle what happens at once."""
    return task.created_at, task.title, task.description is None, task.description or ""
