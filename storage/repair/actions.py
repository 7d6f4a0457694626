"""The actions that a plan is made of, each under an id that follows from what it is about."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agentruns.models import imported_id
from storage.minio.keeping import Content, Place
from storage.repair.models import Action, FileRow, Kind, Turn, named

FILES = "binary_file_metadata"
#: Nobody's id: no agent is called like this.
_NOBODY = "_"


def mended(
    row: FileRow, changes: Mapping[str, Any], place: Place, content: Content | None, reason: str
) -> Action:
    """A row gets other values."""
    details = {"seen": row.seen, "changes": dict(changes), "etag": content and content.etag}
    return Action(
        Turn.MEND,
        row.id,
        "mend row",
        reason,
        FILES,
        row.id,
        *place,
        agent=changes.get("agent_id", row.agent_id),
        task=row.task_id,
        details=details,
    )


def quarantined(  # noqa: PLR0913 - what, why and whose
    place: Place,
    content: Content,
    reason: str,
    agent: str | None,
    task: UUID | None,
    *,
    orphan: bool = False,
) -> Action:
    """An object is taken aside, and kept below its agent and task, with whom it goes."""
    id_ = imported_id("quarantine", *place, content.sha256)
    details = {
        "etag": content.etag,
        "sha256": content.sha256,
        "size_bytes": content.size,
        "orphan": orphan,
        "kept_as": f"{agent or _NOBODY}/{task or 'no-task'}/{id_}",
    }
    return Action(
        Turn.QUARANTINE,
        id_,
        "quarantine",
        reason,
        None,
        None,
        *place,
        agent=agent,
        task=task,
        details=details,
    )


def sought(row: FileRow, sha256: str, reason: str) -> Action:
    """The bytes of a row have to be found."""
    details = {"seen": row.seen, "sha256": sha256, "lost": row.missing_since is not None}
    return _about(row, Turn.SEEK, "seek", reason, details)


def left(row: FileRow, reason: str) -> Action:
    """A row that only a person can explain."""
    return _about(row, Turn.PERSON, "for a person", reason, {})


def left_object(place: Place, reason: str) -> Action:
    """An object that only a person can explain."""
    told = named(place.path)
    return Action(
        Turn.PERSON,
        imported_id("object", *place),
        "for a person",
        reason,
        None,
        None,
        *place,
        agent=told and told.agent,
        task=told and told.task,
    )


def _about(row: FileRow, turn: Turn, kind: Kind, reason: str, details: Mapping[str, Any]) -> Action:
    """An action that takes a row as it is."""
    return Action(
        turn,
        row.id,
        kind,
        reason,
        FILES,
        row.id,
        row.bucket,
        row.object_path,
        agent=row.agent_id,
        task=row.task_id,
        details=details,
    )
