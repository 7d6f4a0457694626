"""The three ways out of a spool, one a store, so that none waits for another's store."""

from enum import StrEnum

from agentruns.models import AnyRecord, LogEntry, Memory, StoredFile, Upload


class Lane(StrEnum):
    """Where an event goes; also the table of a segment that keeps it."""

    LOGS = "logs"  #: log entries and memories, to MongoDB
    ROWS = "rows"  #: tasks and their progress, to PostgreSQL
    FILES = "files"  #: objects to MinIO, then their rows to PostgreSQL


def lane_of(record: AnyRecord) -> Lane:
    """The way that the record goes."""
    if isinstance(record, LogEntry | Memory):
        return Lane.LOGS
    return Lane.FILES if isinstance(record, Upload | StoredFile) else Lane.ROWS
