"""Executed actions of a cua run: a step, its pictures, its error."""

from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import Picture, clean_json, printable, take_pixels
from agentruns.models import AnyRecord, ProgressUpdate
from agentruns.trajectories.cua.actions import (
    action_of,
    as_list,
    as_object,
    describe,
    error_in,
    unpacked,
)
from agentruns.trajectories.cua.errors import error_entry
from agentruns.trajectories.cua.folder import Artifact
from agentruns.trajectories.cua.run import Run, plain, storable
from agentruns.trajectories.files import Content, Unreadable, parse_object, read_content
from agentruns.trajectories.reader import Problem, Records


def read_call(run: Run, artifact: Artifact) -> Records:
    """One executed action; raises `Unreadable` when the file does not say which."""
    run.calls += 1
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from run.at(document.get("created_at"), artifact.path)
    item = document.get("item")
    if not isinstance(item, dict):
        raise Unreadable("The file does not hold the call that was made.")
    outputs, pictures = _outputs(document.get("result"))
    data = _step_data(run, item, outputs) | run.origin(artifact.path, content.sha256)
    kept = storable(data)
    yield _step(run, artifact, content, describe(action_of(item)), kept.data)
    yield from _pictures(run, artifact, [*pictures, *kept.pictures])
    yield from _errors(run, artifact, outputs)
    if not pictures and _has_lost_its_picture(run, artifact, outputs):
        reason = "The step refers to a screenshot that is not in its turn's folder."
        yield Problem(printable(artifact.path), None, reason)


def _outputs(result: Any) -> tuple[list[dict[str, Any]], list[Picture]]:
    """The outputs without pixels, those written as JSON or Python literals unpacked."""
    pictures: list[Picture] = []
    # Depth 6: the outputs become part of a document, and unpacking nests them deeper.
    clean = take_pixels(clean_json(as_list(result), depth=6), pictures.append)
    items = [as_object(item) for item in clean]
    return [{**item, "output": unpacked(item.get("output"))} for item in items], pictures


def _step_data(run: Run, item: dict[str, Any], outputs: list[dict[str, Any]]) -> dict[str, Any]:
    call_id = str(item.get("call_id") or "")
    data: dict[str, Any] = {"kind": "action", "action": action_of(item), "call_id": call_id}
    data |= {"call_type": item.get("type"), "status": item.get("status"), "result": outputs}
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
    if error := next(filter(None, map(_error_of, outputs)), None):
        data["error"] = error
    return data


def _error_of(output: dict[str, Any]) -> str | None:
    return error_in(output.get("output")) or error_in(output)


def _step(
    run: Run, artifact: Artifact, content: Content, message: str, data: dict[str, Any]
) -> ProgressUpdate:
    return ProgressUpdate(
        id=run.id("step", artifact.path, content.sha256),
        task_id=run.task_id,
        agent_id=run.agent_id,
        step=run.calls,
        message=plain(message),
        data=data,
        timestamp=run.moment.time,
    )


def _pictures(run: Run, artifact: Artifact, pictures: list[Picture]) -> Iterator[AnyRecord]:
    names = run.listing.pictured.get(artifact.turn, set())
    for picture in pictures:
        # The saver wrote the same pixels as a file when it had nothing to draw on them.
        as_file = names & {"screenshot", "screenshot_after"}
        primary = not as_file and run.pictured_inline != artifact.turn
        about = {"step": run.calls, "kind": "after", "primary": primary}
        run.pictured_inline = artifact.turn
        yield from run.inline_uploads(artifact, [picture], about)


def _errors(run: Run, artifact: Artifact, outputs: list[dict[str, Any]]) -> Iterator[AnyRecord]:
    for output in outputs:
        if error := _error_of(output):
            call_id = str(output.get("call_id") or artifact.path)
            yield error_entry(run, error, call_id, artifact.path)


def _has_lost_its_picture(run: Run, artifact: Artifact, outputs: list[dict[str, Any]]) -> bool:
    mentions = any(_mentions_picture(output) for output in outputs)
    return mentions and not run.listing.pictured.get(artifact.turn)


def _mentions_picture(output: dict[str, Any]) -> bool:
    parts = [as_object(output.get("output")), *map(as_object, as_list(output.get("content")))]
    return any(part.get("type") == "input_image" for part in parts)
