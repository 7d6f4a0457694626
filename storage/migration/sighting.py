"""What identifies a run: whose it is, what was asked, when it began and took its first step."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from agentruns.models import AgentTask, AnyRecord, ProgressUpdate
from agentruns.trajectories import Problem

#: A run that takes no step among so many records is known by its beginning alone.
_MOST_LOOKED_AT = 64


class Sighting(NamedTuple):
    """How a run looks at its beginning."""

    task_id: UUID
    """Of the task of its own that it becomes when nobody recorded it."""
    began_at: datetime
    asked: str | None
    stepped_at: datetime | None
    call_id: str | None
    """Of its first step."""


class Glance(NamedTuple):
    """A look at the first records of an item."""

    sighting: Sighting | None
    """None when it holds no run."""
    records: Iterator[AnyRecord | Problem]
    """All of the item, also what was looked at: nothing is read twice."""


def glance(records: Iterator[AnyRecord | Problem]) -> Glance:
    """Look at an item as far as its first step."""
    seen: list[AnyRecord | Problem] = []
    task: AgentTask | None = None
    step: ProgressUpdate | None = None
    while step is None and len(seen) < _MOST_LOOKED_AT:
        found = next(records, None)
        if found is None:
            break
        seen.append(found)
        task = found if isinstance(found, AgentTask) else task
        step = found if isinstance(found, ProgressUpdate) else None
    sighting = _sighting(task, step) if task else None
    return Glance(sighting, chain(seen, records))


def _sighting(task: AgentTask, step: ProgressUpdate | None) -> Sighting:
    call_id = str(step.data.get("call_id") or "") if step else ""
    stepped_at = step.timestamp if step else None
    return Sighting(task.id, task.created_at, task.description, stepped_at, call_id or None)
