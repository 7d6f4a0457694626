"""The numbered files of a cua run, each turned into records."""

from collections.abc import Callable, Iterator
from typing import Any

from agentruns.cleaning import picture_fault, printable
from agentruns.models import Level, LogEntry
from agentruns.trajectories.cua.actions import action_of, as_list, as_object, describe, text_of
from agentruns.trajectories.cua.calls import read_call
from agentruns.trajectories.cua.errors import call_errors
from agentruns.trajectories.cua.folder import Artifact
from agentruns.trajectories.cua.run import Answer, Run, storable
from agentruns.trajectories.files import (
    LARGEST,
    Unreadable,
    fingerprint,
    parse_object,
    read_content,
)
from agentruns.trajectories.reader import Problem, Records

PICTURE_KINDS = {
    "screenshot_after": "after",
    "screenshot": "after",
    "screenshot_before": "before",
    "screenshot_action": "annotated",
    "annotated_image": "annotated",
    "annotated_form_ui": "annotated",
}


def read_artifact(run: Run, artifact: Artifact) -> Records:
    """The records of one numbered file; raises `Unreadable` when it is broken."""
    if artifact.type == "png":
        yield from _read_picture(run, artifact)
    else:
        yield from HANDLERS.get(artifact.name, _read_unknown)(run, artifact)


def _read_picture(run: Run, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path).data
    if fault := picture_fault(content):
        raise Unreadable(fault, len(content))
    kind = PICTURE_KINDS.get(artifact.name, "other")
    about = {"step": run.listing.steps[artifact.turn], "name": artifact.name, "kind": kind}
    about["primary"] = kind == "after" or _stands_alone(run, artifact)
    yield run.upload(artifact.path, content, about)


def _stands_alone(run: Run, artifact: Artifact) -> bool:
    """Tell whether the annotated copy is the only picture that shows the step's result."""
    others = run.listing.pictured[artifact.turn] & {"screenshot", "screenshot_after"}
    is_copy = artifact.name == "screenshot_action"
    return is_copy and not others and run.pictured_inline != artifact.turn


def _read_answer(run: Run, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at", document.get("timestamp")), artifact.path)
    response = as_object(document.get("response"))
    items = [as_object(item) for item in as_list(response.get("output"))]
    calls = {
        str(item["call_id"]): describe(action_of(item)) for item in items if item.get("call_id")
    }
    answer = Answer(
        text="\n".join(filter(None, (text_of(item.get("content")) for item in items))),
        reasoning="\n".join(filter(None, (text_of(item.get("summary")) for item in items))),
        usage=as_object(response.get("usage")),
        source=printable(artifact.path),
    )
    run.remember(answer, calls)
    data = {"kind": "answer", "model": document.get("model"), "text": answer.text}
    data |= {"reasoning": answer.reasoning, "usage": answer.usage, "calls": calls}
    kept = storable({**data, "output": items, **run.origin(artifact.path, content.sha256)})
    said = answer.text or answer.reasoning or "; ".join(calls.values()) or "an empty answer"
    yield run.log(Level.INFO, said, kept, artifact.path, content.sha256)
    about = {"step": run.listing.steps[artifact.turn], "kind": "answer", "primary": False}
    yield from run.inline_uploads(artifact, kept.pictures, about)


def _read_exchange(run: Run, artifact: Artifact) -> Records:
    """A request or raw answer repeats the whole history, so its hash is kept and what is new."""
    printed = fingerprint(run.folder, artifact.path)
    data: dict[str, Any] = {"kind": artifact.name, "size_bytes": printed.size_bytes}
    document: dict[str, Any] = {}
    if printed.size_bytes <= LARGEST:
        document = parse_object(read_content(run.folder, artifact.path).data)
        yield from run.at(document.get("created_at"), artifact.path)
    else:
        data["unread"] = "too large to be searched for errors"
    messages = as_list(as_object(document.get("kwargs")).get("messages"))
    data |= {"messages": len(messages), **run.origin(artifact.path, printed.sha256)}
    words = "request to" if artifact.name == "api_start" else "raw answer of"
    said = f"{words} the model, {len(messages)} messages of history"
    yield run.log(Level.DEBUG, said, storable(data), artifact.path, printed.sha256)
    yield from _errors_of_exchange(run, artifact, document, messages)


def _errors_of_exchange(
    run: Run, artifact: Artifact, document: dict[str, Any], messages: list[Any]
) -> Iterator[LogEntry]:
    if artifact.name == "api_start":
        yield from call_errors(run, messages, artifact.path)
    elif error := as_object(document.get("result")).get("error"):
        kept = storable({"kind": "error", "error": error, "source": printable(artifact.path)})
        yield run.log(Level.ERROR, f"the model's provider: {error}", kept, artifact.path, "error")


def _read_unknown(run: Run, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at"), artifact.path)
    origin = run.origin(artifact.path, content.sha256)
    kept = storable({"kind": "unknown", "content": document, **origin})
    said = f"a file that the format does not have: {printable(artifact.name)}"
    yield run.log(Level.DEBUG, said, kept, artifact.path, content.sha256)
    yield from run.inline_uploads(artifact, kept.pictures, {"kind": "other", "primary": False})
    yield Problem(printable(artifact.path), None, "A kind of file that the format does not have.")


HANDLERS: dict[str, Callable[[Run, Artifact], Records]] = {
    "api_start": _read_exchange,
    "api_result": _read_exchange,
    "agent_response": _read_answer,
    "computer_call_result": read_call,
    "function_call_result": read_call,
}
