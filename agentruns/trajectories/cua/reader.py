"""Runs that cua-agent's TrajectorySaverCallback leaves on disk."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from agentruns.cleaning import SecretPatterns, picture_fault, printable
from agentruns.models import Status
from agentruns.trajectories.cua import metadata as run_metadata
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.artifacts import read_artifact
from agentruns.trajectories.cua.beginning import (
    Metadata,
    begin,
    load_metadata,
    trajectory_id_of,
)
from agentruns.trajectories.cua.folder import (
    ARTIFACT,
    CALLS,
    METADATA,
    TURN,
    list_folder,
)
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.time import from_ticks
from agentruns.trajectories.files import (
    Unreadable,
    read_content,
)
from agentruns.trajectories.listing import folder_items, is_folder, names_in
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.walking import walk


class CuaReader:
    """Reads one folder a run: metadata.json, and numbered files in turn folders."""

    name = "cua"

    def recognise(self, path: Path) -> bool:
        """Tell whether the folder holds a run: a turn folder, or metadata that names a run."""
        if not is_folder(path):
            return False
        if METADATA in names_in(path) and load_metadata(path).document.get("trajectory_id"):
            return True
        # Other formats have turn folders too, but no numbered files in them.
        return any(map(ARTIFACT.match, chain.from_iterable(map(names_in, _turns(path)))))

    def items(self, folder: Path) -> Iterator[Path]:
        """Every run in the folder, itself included, in order of paths; no link is followed."""
        return folder_items(folder, self.recognise)

    def files(self, item: Path) -> Iterator[Path]:
        """Everything below the folder."""
        return walk(item)

    def read(  # noqa: PLR0913 - options by name, each with its default
        self,
        item: Path,
        agent_id: str,
        task_id: UUID | None = None,
        *,
        after: int = -1,
        unfinished: Status = Status.INTERRUPTED,
        patterns: SecretPatterns | None = None,
        timezone: tzinfo = UTC,
    ) -> Records:
        """Everything in the folder, file by file, so that memory stays flat."""
        listing = list_folder(item)
        metadata = load_metadata(item)
        yield from listing.problems
        yield from metadata.problems
        run = begin(item, agent_id, task_id, listing, metadata.document)
        run.patterns = patterns or run.patterns
        yield from _opening(run, metadata, unfinished, is_known=task_id is not None)
        completed = metadata.document.get("status") == "completed"
        del metadata  # it may hold the pictures of the whole run
        for artifact in _from_resumption(run, after, completed=completed):
            yield from (found for found in _guarded(run, artifact) if artifact.number > after)
        yield from _loose(run)
        yield from _closing(run, is_known=task_id is not None)


def _opening(run: FolderRun, metadata: Metadata, unfinished: Status, *, is_known: bool) -> Records:
    document = metadata.document
    if "created_at" in document and not from_ticks(document["created_at"]):
        yield Problem(METADATA, None, "created_at holds no possible time.")
    status = run_metadata.status_of(document, unfinished)
    if status is None:
        yield Problem(
            METADATA, None, "The status is none that is known; it is taken as unfinished."
        )
    about = run_metadata.describe_run(run, document, trajectory_id_of(run.folder, document))
    if not is_known:
        yield run_metadata.task_of(run, document, about, status or unfinished)
    yield from run_metadata.message_pictures(run, about)


def _from_resumption(run: FolderRun, after: int, *, completed: bool) -> Iterator[Artifact]:
    """The files from the last model answer up to `after`: the next action may refer to it.

    The balance of a completed run needs all of them, but such a run is not read often.
    """
    answers = [a.number for a in run.listing.artifacts if a.name == "agent_response"]
    first = -1 if completed else max((n for n in answers if n <= after), default=-1)
    for artifact in run.listing.artifacts:
        if artifact.number >= first:
            yield artifact
        else:
            run.calls += artifact.name in CALLS


def _guarded(run: FolderRun, artifact: Artifact) -> Records:
    """The records of one file, or the reason why there are none."""
    try:
        yield from read_artifact(run, artifact)
    except Unreadable as fault:
        yield Problem(printable(artifact.path), fault.offset, fault.reason)
    except ValidationError:
        yield Problem(printable(artifact.path), None, "Its content does not fit any record.")


def _loose(run: FolderRun) -> Records:
    for path in run.listing.loose:
        try:
            content = read_content(run.folder, path).data
        except Unreadable as fault:
            yield Problem(printable(path), fault.offset, fault.reason)
            continue
        if picture_fault(content):
            yield Problem(printable(path), None, "A file that the format does not have.")
        else:
            about = {"name": printable(path)[-300:], "kind": "loose", "primary": False}
            yield run.upload(printable(path), content, about)


def _closing(run: FolderRun, *, is_known: bool) -> Records:
    metadata = load_metadata(run.folder)
    if not metadata.sha256:
        return
    yield from run_metadata.balance(run, metadata.document, metadata.sha256)
    if is_known:
        name = trajectory_id_of(run.folder, metadata.document)
        about = run_metadata.describe_run(run, metadata.document, name)
        yield run_metadata.note(run, about, metadata.sha256)


def _turns(folder: Path) -> list[Path]:
    turns = [folder / name for name in names_in(folder) if TURN.match(name)]
    return [turn for turn in turns if is_folder(turn)]
