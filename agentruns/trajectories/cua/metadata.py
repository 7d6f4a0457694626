"""metadata.json of a cua run: the task at the beginning, the balance at the end."""

import re
from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import Picture, clip_text, printable
from agentruns.models import AgentTask, AnyRecord, Level, Status
from agentruns.trajectories.cua.ending import end_step
from agentruns.trajectories.cua.errors import call_errors
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.cua.time import from_ticks
from agentruns.trajectories.fitting import Document
from agentruns.trajectories.reader import Records
from agentruns.trajectories.values import as_list, as_object, text_of

MESSAGE = {"kind": "message", "primary": False}
HISTORY = {"kind": "history", "primary": False}
ITEM = re.compile(r"new_items\[(\d+)\]")


def assignment(metadata: dict[str, Any]) -> str:
    """What the user asked for: the text of the first message that has one."""
    messages = as_object(metadata.get("kwargs")).get("messages")
    if isinstance(messages, str):
        return messages
    from_user = [m for m in map(as_object, as_list(messages)) if m.get("role", "user") == "user"]
    return next(filter(None, (text_of(message.get("content")) for message in from_user)), "")


def title_of(asked: str) -> str:
    """The first line of what was asked, short enough for a title."""
    return clip_text(asked.split("\n", maxsplit=1)[0], 200)


def describe_run(run: FolderRun, metadata: dict[str, Any], trajectory_id: str) -> Document:
    """All that metadata.json says, except what the run's other files say better."""
    kwargs = as_object(metadata.get("kwargs"))
    source = {"format": "cua", "trajectory_id": trajectory_id, "folder": printable(run.folder.name)}
    known = {"model": kwargs.get("model"), "usage": metadata.get("total_usage")}
    known |= {"total_turns": metadata.get("total_turns"), "saver_status": metadata.get("status")}
    told = {"trajectory_id", "created_at", "status", "completed_at", "total_usage", "total_turns"}
    others = {k: v for k, v in metadata.items() if k not in told | {"kwargs", "new_items"}}
    return run.storable(
        {
            "source_ref": f"cua:{trajectory_id}",
            "source": source,
            "time_from": run.moment.time_from,
            **{key: value for key, value in known.items() if value is not None},
            "files": {"artifacts": len(run.listing.artifacts), "loose": len(run.listing.loose)},
            **run.about,
            "kwargs": kwargs,
            **({"other": others} if others else {}),
        }
    )


def status_of(metadata: dict[str, Any], unfinished: Status) -> Status | None:
    """The status that metadata.json gives the run, or None for one that nobody knows."""
    said = metadata.get("status", "running")
    if said == "running":
        return unfinished
    return Status(said) if isinstance(said, str) and said in frozenset(Status) else None


def task_of(run: FolderRun, metadata: dict[str, Any], about: Document, status: Status) -> AgentTask:
    """The task; `run.moment` is when it began."""
    asked = run.plain(assignment(metadata)).strip()
    trajectory_id = about.data.get("source", {}).get("trajectory_id", run.folder.name)
    ended = from_ticks(metadata.get("completed_at")) or run.ended or run.moment.time
    began = min(run.moment.time, ended)
    return AgentTask(
        id=run.task_id,
        agent_id=run.agent_id,
        title=title_of(asked) or f"cua run {printable(trajectory_id)}"[:400],
        description=asked or None,
        status=status,
        status_at=began if status is Status.IN_PROGRESS else ended,
        metadata=about.data,
        created_at=began,
        started_at=began,
        finished_at=None if status is Status.IN_PROGRESS else ended,
    )


def message_pictures(run: Run, about: Document) -> Iterator[AnyRecord]:
    """The pictures that the user handed to the agent."""
    yield from run.inline_uploads(run.metadata_path, about.pictures, MESSAGE)


def balance(run: FolderRun, metadata: dict[str, Any], sha256: str) -> Records:
    """What a finished run adds: its last errors, pictures found nowhere else, its end."""
    items = as_list(metadata.get("new_items"))
    yield from run.at(metadata.get("completed_at"), run.metadata_path)
    yield from call_errors(run, items, run.metadata_path)
    for picture in run.storable({"new_items": items}).pictures:
        step = _step_shown(run, items, picture)
        if step or bytes.fromhex(picture.sha256) not in run.pictures:
            about = {"step": step, "kind": "after", "primary": True} if step else HISTORY
            yield from run.inline_uploads(run.metadata_path, [picture], about)
    if metadata.get("status") == "completed":
        yield end_step(run, metadata, items, sha256)


def note(run: Run, about: Document, sha256: str) -> AnyRecord:
    """What metadata.json says, for a task that somebody else made."""
    said = f"the agent's own saver: {about.data.get('saver_status', 'no status')}"
    return run.log(Level.INFO, said, about, run.metadata_path, sha256)


def _step_shown(run: FolderRun, items: list[Any], picture: Picture) -> int | None:
    """The step whose result a picture of the history shows, where no other file shows it."""
    found = ITEM.match(picture.path)
    call_id = str(as_object(items[int(found[1])]).get("call_id")) if found else ""
    return run.step_with(call_id) if call_id in run.in_metadata else None
