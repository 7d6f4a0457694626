"""One record that nobody can store does not hold up the others."""

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.models import AgentTask, AnyRecord, Upload, imported_id
from agentruns.spool import Event, Lane, Rejected, SpoolError
from agentruns.spool.disk import make_folder, sync_folder
from agentruns.spool.events import as_row
from agentruns.spool.layout import REJECTED, SESSIONS
from storage.delivery.backoff import in_words
from storage.delivery.state import Stopping
from storage.errors import StorageError
from storage.rejection import Rejection

#: These tell of a store or of this machine, never of a record.
_NOT_ITS_FAULT = (StorageError, SpoolError, Stopping, OSError, MemoryError, sqlite3.Error)


def isolated(
    store: Callable[[Sequence[AnyRecord]], list[Rejection]], records: Sequence[AnyRecord]
) -> list[Rejection]:
    """Store all of them; where that fails unexpectedly, find the culprit by halving."""
    try:
        return store(records)
    except _NOT_ITS_FAULT:
        raise
    except Exception as error:
        if len(records) == 1:
            kind = type(records[0]).__name__
            return [Rejection(kind, id_of(records[0]), in_words(error))]
    middle = len(records) // 2
    return isolated(store, records[:middle]) + isolated(store, records[middle:])


def id_of(record: AnyRecord) -> UUID:
    """The id under which a store knows the record."""
    return record.file.id if isinstance(record, Upload) else record.id


def refused(event: Event, lane: Lane, reason: str, spool: Path) -> Rejected:
    """The event as the ledger keeps it, its object safe from the end of its segment."""
    record = event.record
    # What cannot be read as a record may still say whose it is.
    told = _told(event.payload)
    nameless = imported_id(event.segment, lane, str(event.position))
    if event.kind == AgentTask.__name__:
        # Several states of one task may be refused, and none takes another's place on the list.
        own, task_id = nameless, told.get("id")
    else:
        own, task_id = _uuid(told.get("id")) or nameless, told.get("task_id")
    return Rejected(
        id=str(own),
        session=event.session,
        kind=event.kind,
        agent_id=_text(told.get("agent_id")),
        task_id=_text(task_id),
        reason=reason,
        # With its place in the order, which it keeps when it is tried again.
        payload=as_row(record).payload if record else event.payload,
        object=_kept_object(event, told, spool),
    )


def _told(payload: str) -> dict[str, Any]:
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _kept_object(event: Event, told: dict[str, Any], spool: Path) -> str | None:
    source = _object_of(event, told, spool)
    if source is None:
        return None
    # One that is not whole must not be taken for the content that its name promises.
    name = source.name if event.record else f"damaged-{event.position}-{source.name}"
    kept = spool / REJECTED / name
    make_folder(kept.parent)
    # The segment goes once everything in it is acknowledged; a second link costs no room.
    with suppress(FileExistsError, FileNotFoundError):
        os.link(source, kept)
    sync_folder(kept.parent)
    return name if kept.exists() else None


def _object_of(event: Event, told: dict[str, Any], spool: Path) -> Path | None:
    """Where the content of a file lies, also of one whose event is damaged."""
    if isinstance(event.record, Upload):
        return event.record.content if isinstance(event.record.content, Path) else None
    name = Path(_text(told.get("object_path")) or "").name
    source = spool / SESSIONS / event.segment / name
    return source if name and source.is_file() else None
