"""The records of one cua run whose files are listed, file by file, so that memory stays flat."""

from collections.abc import Callable, Iterator

from pydantic import ValidationError

from agentruns.cleaning import picture_fault, printable
from agentruns.models import Status
from agentruns.trajectories.cua import metadata as run_metadata
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.artifacts import read_artifact
from agentruns.trajectories.cua.beginning import Metadata, load_metadata, trajectory_id_of
from agentruns.trajectories.cua.folder import CALLS
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.time import from_ticks
from agentruns.trajectories.files import Unreadable, read_content
from agentruns.trajectories.reader import Problem, Records


def read_run(
    run: FolderRun, metadata: Metadata, unfinished: Status, *, is_known: bool, after: int = -1
) -> Records:
    """The task unless it is known, what each file after the given number says, the end."""
    yield from _opening(run, metadata, unfinished, is_known=is_known)
    completed = metadata.document.get("status") == "completed"
    del metadata  # it may hold the pictures of the whole run
    for artifact in _from_resumption(run, after, completed=completed):
        found = guarded(run, artifact, read_artifact)
        yield from (record for record in found if artifact.number > after)
    yield from read_loose(run)
    yield from _closing(run, is_known=is_known)


def _opening(run: FolderRun, metadata: Metadata, unfinished: Status, *, is_known: bool) -> Records:
    document = metadata.document
    if "created_at" in document and not from_ticks(document["created_at"]):
        yield Problem(printable(run.metadata_path), None, "created_at holds no possible time.")
    status = run_metadata.status_of(document, unfinished)
    if status is None:
        reason = "The status is none that is known; it is taken as unfinished."
        yield Problem(printable(run.metadata_path), None, reason)
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


def guarded(
    run: FolderRun, artifact: Artifact, read: Callable[[FolderRun, Artifact], Records]
) -> Records:
    """The records of one file, or the reason why there are none."""
    try:
        yield from read(run, artifact)
    except Unreadable as fault:
        yield Problem(printable(artifact.path), fault.offset, fault.reason)
    except ValidationError:
        yield Problem(printable(artifact.path), None, "Its content does not fit any record.")


def read_loose(run: FolderRun) -> Records:
    """The pictures that no rule of the format places; every other stranger is a problem."""
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
    if not run.metadata_path:
        return
    metadata = load_metadata(run.folder, run.metadata_path)
    if not metadata.sha256:
        return
    yield from run_metadata.balance(run, metadata.document, metadata.sha256)
    if is_known:
        name = trajectory_id_of(run.folder, metadata.document)
        about = run_metadata.describe_run(run, metadata.document, name)
        yield run_metadata.note(run, about, metadata.sha256)
