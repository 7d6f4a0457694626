"""Where the reading of a cua run begins: its metadata, its identity, its clock."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import clean_text, printable
from agentruns.models import imported_id
from agentruns.trajectories.cua.folder import METADATA, Folder
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.time import from_folder, from_ticks
from agentruns.trajectories.files import (
    LARGEST,
    Unreadable,
    fingerprint,
    parse_object,
    read_content,
    read_without_long_texts,
)
from agentruns.trajectories.reader import Problem
from agentruns.trajectories.times import Moment


class Metadata(NamedTuple):
    """What metadata.json holds; nothing when it is missing or broken."""

    document: dict[str, Any]
    sha256: str
    problems: list[Problem]


def load_metadata(folder: Path, path: str = METADATA) -> Metadata:
    """Read what tells of the whole run, without its long texts when it is too large."""
    try:
        printed = fingerprint(folder, path)
        if printed.size_bytes <= LARGEST:
            document = parse_object(read_content(folder, path).data)
            return Metadata(document, printed.sha256, [])
        document = parse_object(read_without_long_texts(folder, path))
    except Unreadable as fault:
        return Metadata({}, "", [Problem(printable(path), fault.offset, fault.reason)])
    reason = f"The file has {printed.size_bytes} bytes; its long texts and pictures were left out."
    return Metadata(document, printed.sha256, [Problem(printable(path), None, reason)])


def begin(
    folder: Path, agent_id: str, task_id: UUID | None, listing: Folder, metadata: dict[str, Any]
) -> FolderRun:
    """The run before its first file; a task that nobody made yet gets its lasting id."""
    name = trajectory_id_of(folder, metadata)
    began = from_ticks(metadata.get("created_at"))
    moment = Moment(began, "file") if began else from_folder(folder, name)
    made = task_id or imported_id("cua", "task", agent_id, name, _first_sha256(folder, listing))
    return FolderRun(
        folder=folder,
        agent_id=agent_id,
        task_id=made,
        listing=listing,
        moment=moment,
        ended=None if task_id else _last_moment(folder, listing),
    )


def trajectory_id_of(folder: Path, metadata: dict[str, Any]) -> str:
    """The run's name in metadata.json, else that of its folder."""
    said = metadata.get("trajectory_id")
    return clean_text(said)[:300] if isinstance(said, str) and said else printable(folder.name)


def _first_sha256(folder: Path, listing: Folder) -> str:
    """Keeps two runs apart that share a name: their first files differ."""
    try:
        return fingerprint(folder, listing.artifacts[0].path).sha256
    except (IndexError, Unreadable):
        return ""


def _last_moment(folder: Path, listing: Folder) -> datetime | None:
    last = next((a for a in reversed(listing.artifacts) if a.type == "json"), None)
    try:
        data = read_content(folder, last.path).data if last else b""
        return from_ticks(parse_object(data).get("created_at"))
    except Unreadable:
        return None
