"""Executed actions of a cua run: a step, its pictures, its error."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from agentruns.cleaning import Picture, clean_json, printable, take_pixels
from agentruns.models import AnyRecord, ProgressUpdate
from agentruns.trajectories.cua.actions import action_of, describe, error_in
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.errors import error_entry
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.files import Unreadable, parse_object, read_content
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.values import as_list, as_object, unpacked


class Call(NamedTuple):
    """What was done, and what it gave back."""

    item: dict[str, Any]
    outputs: list[dict[str, Any]]
    pictures: list[Picture]
    """Those that were inside the outputs."""


def read_call(run: FolderRun, artifact: Artifact) -> Records:
    """One executed action; raises `Unreadable` when the file does not say which."""
    run.calls += 1
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at"), artifact.path)
    call = call_of(document)
    yield from call_records(run, artifact, call, content.sha256)
    if not call.pictures and _has_lost_its_picture(run, artifact, call):
        reason = "The step refers to a screenshot that is not in its turn's folder or elsewhere."
        yield Problem(printable(artifact.path), None, reason)


def call_of(document: dict[str, Any]) -> Call:
    """The call in a document, its outputs without pixels, those written as text unpacked."""
    item = document.get("item")
    if not isinstance(item, dict):
        raise Unreadable("The file does not hold the call that was made.")
    pictures: list[Picture] = []
    # Depth 6: the outputs become part of a document, and unpacking nests them deeper.
    result = clean_json(as_list(document.get("result")), depth=6)
    outputs = [as_object(output) for output in take_pixels(result, pictures.append)]
    return Call(item, [{**o, "output": unpacked(o.get("output"))} for o in outputs], pictures)


def call_records(
    run: Run, artifact: Artifact, call: Call, sha256: str = "", *part: str
) -> Iterator[AnyRecord]:
    """The step that `run.calls` counts, its pictures and its errors.

    `part` tells several calls of one file apart.
    """
    kept = run.storable(_step_data(run, call) | run.origin(artifact.path, sha256))
    yield ProgressUpdate(
        id=run.id("step", artifact.path, sha256, *part),
        task_id=run.task_id,
        agent_id=run.agent_id,
        step=run.calls,
        message=run.plain(describe(action_of(call.item))),
        data=kept.data,
        timestamp=run.moment.time,
    )
    yield from _pictures(run, artifact, [*call.pictures, *kept.pictures])
    yield from _errors(run, artifact, call)


def _step_data(run: Run, call: Call) -> dict[str, Any]:
    item = call.item
    call_id = str(item.get("call_id") or "")
    data: dict[str, Any] = {"kind": "action", "action": action_of(item), "call_id": call_id}
    data |= {"call_type": item.get("type"), "status": item.get("status"), "result": call.outputs}
    if checks := item.get("pending_safety_checks"):
        data["pending_safety_checks"] = checks
    if answer := run.answers.pop(call_id, None):
        data["answer"] = {
            "text": answer.text,
            "reasoning": answer.reasoning,
            "source": answer.source,
        }
        data |= {"usage": answer.usage} if answer.usage else {}
        run.count_usage(answer.usage)
    if error := next(filter(None, map(_error_of, call.outputs)), None):
        data["error"] = error
    return data


def _error_of(output: dict[str, Any]) -> str | None:
    return error_in(output.get("output")) or error_in(output)


def _pictures(run: Run, artifact: Artifact, pictures: list[Picture]) -> Iterator[AnyRecord]:
    for picture in pictures:
        # The agent told the same pixels as a picture when it had nothing to draw on them.
        primary = not run.is_pictured(artifact) and run.pictured_inline != artifact.turn
        about = {"step": run.calls, "kind": "after", "primary": primary}
        run.pictured_inline = artifact.turn
        yield from run.inline_uploads(artifact.path, [picture], about)


def _errors(run: Run, artifact: Artifact, call: Call) -> Iterator[AnyRecord]:
    for output in call.outputs:
        if error := _error_of(output):
            call_id = str(output.get("call_id") or artifact.path)
            yield error_entry(run, error, call_id, artifact.path)


def _has_lost_its_picture(run: FolderRun, artifact: Artifact, call: Call) -> bool:
    if str(call.item.get("call_id")) in run.in_metadata:
        return False
    mentions = any(map(_mentions_picture, call.outputs))
    return mentions and not run.listing.pictured.get(artifact.turn)


def _mentions_picture(output: dict[str, Any]) -> bool:
    parts = [as_object(output.get("output")), *map(as_object, as_list(output.get("content")))]
    return any(part.get("type") == "input_image" for part in parts)
