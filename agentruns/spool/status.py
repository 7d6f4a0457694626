"""What a spool holds, for people and for the health check."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from agentruns.models import AgentTask, ProgressUpdate, Upload
from agentruns.spool.damage import reports
from agentruns.spool.events import Event
from agentruns.spool.lanes import Lane
from agentruns.spool.ledger import Ledger
from agentruns.spool.segment import Segment
from agentruns.spool.spool import Spool


class SpoolStatus(NamedTuple):
    """How a spool is."""

    folder: Path
    events: int
    """Waiting for their delivery."""
    bytes: int
    """Of the whole folder."""
    oldest: datetime | None
    """When the event that waits longest was recorded."""
    rejected: int
    """Refused by a store and not taken up again."""
    delivering: bool
    damaged: int
    """Pieces kept aside as they could not be read."""
    foreign: list[str]
    """What lies among the sessions and is none."""


def spool_status(spool: Spool) -> SpoolStatus:
    """How a spool is; nothing is changed.

    Raises:
        SpoolError: when it can't be read.
    """
    with spool.ledger() as ledger:
        waiting = [
            _waiting(segment, ledger) for one in spool.sessions() for segment in one.segments()
        ]
        return SpoolStatus(
            folder=spool.folder,
            events=sum(one.events for one in waiting),
            bytes=spool.size(),
            oldest=min(filter(None, (one.oldest for one in waiting)), default=None),
            rejected=ledger.rejected_count(),
            delivering=spool.delivering(),
            damaged=len(reports(spool.folder)),
            foreign=spool.foreign(),
        )


class _Waiting(NamedTuple):
    events: int
    oldest: datetime | None


def _waiting(segment: Segment, ledger: Ledger) -> _Waiting:
    """What waits in a segment, which is closed again: there may be thousands."""
    done = {lane: ledger.position(segment.name, lane) for lane in Lane}
    try:
        return _Waiting(
            # A delivery may remove it meanwhile, and then nothing waits.
            sum(max(segment.last(lane) - done[lane], 0) for lane in Lane),
            min(
                filter(None, (_first_at(segment, lane, done[lane]) for lane in Lane)), default=None
            ),
        )
    finally:
        segment.close()


def _first_at(segment: Segment, lane: Lane, done: int) -> datetime | None:
    for event in segment.read(lane, done, limit=1):
        return _recorded_at(event) or segment.written_at()
    return None


def _recorded_at(event: Event) -> datetime | None:
    match event.record:
        case None:
            return None
        case AgentTask() as task:
            return task.status_at
        case ProgressUpdate() as update:
            return update.timestamp
        case Upload() as upload:
            return upload.file.uploaded_at
        case record:
            return record.created_at
