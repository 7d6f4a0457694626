"""What the tests of the spool write into it."""

import hashlib
from collections.abc import Iterator
from typing import Any

from agentruns.models import (
    AgentTask,
    AnyRecord,
    LogEntry,
    ProgressUpdate,
    Status,
    StoredFile,
    Upload,
    object_path,
)
from agentruns.spool import Event, Lane, Ledger, Segment, Session, Spool

AGENT = "browser-1"
PNG = b"\x89PNG\r\n\x1a\n"


def a_task(**fields: Any) -> AgentTask:
    return AgentTask(**{"agent_id": AGENT, "title": "Book", "status": Status.IN_PROGRESS} | fields)


def a_log(task: AgentTask, message: str = "opened the page") -> LogEntry:
    return LogEntry(agent_id=AGENT, task_id=task.id, message=message)


def a_step(task: AgentTask, message: str = "logged in") -> ProgressUpdate:
    return ProgressUpdate(agent_id=AGENT, task_id=task.id, message=message)


def a_picture(task: AgentTask, content: bytes = PNG) -> Upload:
    sha256 = hashlib.sha256(content).hexdigest()
    return Upload(
        file=StoredFile(
            agent_id=AGENT,
            task_id=task.id,
            bucket="screenshots",
            object_path=object_path(AGENT, task.id, sha256, ".png"),
            content_type="image/png",
            size_bytes=len(content),
            sha256=sha256,
        ),
        content=content,
    )


def segments(spool: Spool) -> list[Segment]:
    return [segment for session in spool.sessions() for segment in session.segments()]


def events(spool: Spool, lane: Lane | None = None) -> list[Event]:
    """Every event, lane by lane, in the order of its lane."""
    lanes = [lane] if lane else list(Lane)
    read = segments(spool)
    try:
        return [event for way in lanes for segment in read for event in _all(segment, way)]
    finally:
        for segment in read:
            segment.close()


def records(spool: Spool, lane: Lane | None = None) -> list[AnyRecord]:
    return [event.record for event in events(spool, lane) if event.record]


def acknowledge_all(spool: Spool) -> None:
    """What a delivery does once all has arrived."""
    with spool.ledger() as ledger:
        for segment in segments(spool):
            for lane in Lane:
                ledger.acknowledge(lane, {segment.name: segment.last(lane)}, {})
        clear(spool, ledger)


def clear(spool: Spool, ledger: Ledger) -> None:
    for session in spool.sessions():
        session.settle()
        session.remove_delivered(ledger)


def crash(session: Session) -> None:
    """What a kill leaves: the files as they are, the lock free."""
    session._segment._connection.close()
    session._lock.let_go()


def _all(segment: Segment, lane: Lane) -> Iterator[Event]:
    after = 0
    while page := segment.read(lane, after):
        yield from page
        after = page[-1].position
