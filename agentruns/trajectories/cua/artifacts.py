"""The numbered files of a cua run, each turned into records."""

from collections.abc import Callable
from typing import Any

from agentruns.cleaning import picture_fault, printable
from agentruns.models import Level
from agentruns.trajectories.cua.answers import answer_records, exchange_records
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.calls import read_call
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.pictures import named_picture
from agentruns.trajectories.files import (
    LARGEST,
    Unreadable,
    fingerprint,
    parse_object,
    read_content,
)
from agentruns.trajectories.reader import Problem, Records


def read_artifact(run: FolderRun, artifact: Artifact) -> Records:
    """The records of one numbered file; raises `Unreadable` when it is broken."""
    if artifact.type == "png":
        yield from _read_picture(run, artifact)
    else:
        yield from HANDLERS.get(artifact.name, _read_unknown)(run, artifact)


def _read_picture(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path).data
    if fault := picture_fault(content):
        raise Unreadable(fault, len(content))
    yield named_picture(run, artifact, content, alone=_stands_alone(run, artifact))


def _stands_alone(run: FolderRun, artifact: Artifact) -> bool:
    """Tell whether the annotated copy is the only picture that shows the step's result."""
    is_copy = artifact.name == "screenshot_action"
    return is_copy and not run.is_pictured(artifact) and run.pictured_inline != artifact.turn


def _read_answer(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at", document.get("timestamp")), artifact.path)
    yield from answer_records(run, artifact, document, content.sha256)


def _read_exchange(run: FolderRun, artifact: Artifact) -> Records:
    printed = fingerprint(run.folder, artifact.path)
    facts: dict[str, Any] = {"size_bytes": printed.size_bytes}
    document: dict[str, Any] = {}
    if printed.size_bytes <= LARGEST:
        document = parse_object(read_content(run.folder, artifact.path).data)
        yield from run.at(document.get("created_at"), artifact.path)
    else:
        facts["unread"] = "too large to be searched for errors"
    yield from exchange_records(run, artifact, document, facts, printed.sha256)


def _read_unknown(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at"), artifact.path)
    origin = run.origin(artifact.path, content.sha256)
    kept = run.storable({"kind": "unknown", "content": document, **origin})
    said = f"a file that the format does not have: {printable(artifact.name)}"
    yield run.log(Level.DEBUG, said, kept, artifact.path, content.sha256)
    yield from run.inline_uploads(artifact.path, kept.pictures, {"kind": "other", "primary": False})
    yield Problem(printable(artifact.path), None, "A kind of file that the format does not have.")


HANDLERS: dict[str, Callable[[FolderRun, Artifact], Records]] = {
    "api_start": _read_exchange,
    "api_result": _read_exchange,
    "agent_response": _read_answer,
    "computer_call_result": read_call,
    "function_call_result": read_call,
}
