"""The steps of a browser-use history: actions, thoughts, results, the picture looked at."""

from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import Picture, clean_json, take_pixels
from agentruns.models import Level
from agentruns.trajectories.cua.actions import describe
from agentruns.trajectories.item_run import ItemRun, guarded, ordinal
from agentruns.trajectories.json_parts import Part
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment, from_unix
from agentruns.trajectories.values import as_list, as_object, as_text, in_words
from agentruns.trajectories.walking import mode_of

THOUGHTS = ("thinking", "evaluation_previous_goal", "memory", "next_goal")
SAID_FIRST = ("thinking", "next_goal", "memory", "evaluation_previous_goal")


def step_records(run: ItemRun, path: str, part: Part) -> Records:
    """The records of one item of the history; raises `Unreadable` when it is none."""
    step = part.value()
    if not isinstance(step, dict):
        yield Problem(path, part.offset, f"A step is a JSON {type(step).__name__}, not an object.")
        return
    known = as_object(step.get("metadata"))
    ended = moment_of(step, "step_end_time")
    if ended is None and known.get("step_end_time") is not None:
        yield Problem(path, part.offset, "step_end_time holds no possible time.")
    run.at(ended)
    number = ordinal(known.get("step_number"))
    number = (part.place or 0) + 1 if number is None else number
    source = (path, str(part.place))
    yield from _said(run, step, number, source)
    yield from _step(run, step, number, source)
    yield from _results(run, step, number, source)
    yield from guarded(path, _screenshot(run, step, number, source), part.offset)


def moment_of(step: dict[str, Any], name: str) -> Moment | None:
    """A time in the step's metadata."""
    return from_unix(as_object(step.get("metadata")).get(name))


def output_of(step: dict[str, Any]) -> dict[str, Any]:
    """What the model said, in older files in `current_state`; nothing where it failed to."""
    output = as_object(step.get("model_output"))
    return {**as_object(output.get("current_state")), **output}


def results_of(step: dict[str, Any]) -> list[dict[str, Any]]:
    """What the actions gave back."""
    return [as_object(result) for result in as_list(step.get("result"))]


def picture_name(step: dict[str, Any]) -> str:
    """The file name in `screenshot_path`, whichever machine's path it is."""
    path = as_text(as_object(step.get("state")).get("screenshot_path"))
    return path.replace("\\", "/").rpartition("/")[2]


def picture_path(run_folder: Any, name: str) -> str | None:
    """Where the picture lies beside the history; the path in it leads elsewhere or nowhere."""
    if not name or name in {".", ".."} or "\x00" in name:
        return None
    return next((p for p in (f"screenshots/{name}", name) if mode_of(run_folder / p)), None)


def _said(run: ItemRun, step: dict[str, Any], number: int, source: tuple[str, str]) -> Records:
    output = output_of(step)
    said = next(filter(None, (as_text(output.get(name)) for name in SAID_FIRST)), "")
    if said:
        data = {"kind": "answer", "step": number, **_thoughts(output)}
        yield from run.entry(Level.INFO, said, data, *source, "answer")


def _thoughts(output: dict[str, Any]) -> dict[str, Any]:
    return {name: output[name] for name in THOUGHTS if output.get(name)}


def _step(run: ItemRun, step: dict[str, Any], number: int, source: tuple[str, str]) -> Records:
    output, state = output_of(step), as_object(step.get("state"))
    actions = [action for each in as_list(output.get("action")) for action in _actions(each)]
    several = {"type": "sequence", "actions": actions}
    action = actions[0] if len(actions) == 1 else several if actions else {"type": "no action"}
    data: dict[str, Any] = {"kind": "action", "action": action, "thought": _thoughts(output)}
    # The pictures of results and state are told on their own, with a kind.
    data |= {"result": results_of(step), "metadata": step.get("metadata")}
    data |= {"state": {k: v for k, v in state.items() if k != "screenshot"}}
    told = {"model_output", "result", "state", "metadata"}
    data |= {"more": {k: v for k, v in step.items() if k not in told}}
    if errors := list(_errors(step)):
        data["error"] = errors[0]
    words = "; ".join(map(describe, actions)) or "no action: the model gave no usable answer"
    yield from run.step(number, words, data, *source)


def _actions(value: Any) -> Iterator[dict[str, Any]]:
    for name, parameters in as_object(clean_json(value)).items():
        yield {"type": name, "arguments": parameters}


def _errors(step: dict[str, Any]) -> Iterator[str]:
    for result in results_of(step):
        if error := result.get("error"):
            yield in_words(error)


def _results(run: ItemRun, step: dict[str, Any], number: int, source: tuple[str, str]) -> Records:
    for place, result in enumerate(results_of(step)):
        about = {"step": number, "result": place}
        if error := result.get("error"):
            data = {"kind": "error", "error": error, **about}
            yield from run.entry(
                Level.ERROR, f"action failed: {in_words(error)}", data, *source, f"e{place}"
            )
        if kept := as_text(result.get("long_term_memory")):
            yield run.remember(kept, {"kind": "long_term_memory", **about}, *source, str(place))


def _screenshot(
    run: ItemRun, step: dict[str, Any], number: int, source: tuple[str, str]
) -> Records:
    path, place = source
    about = {"step": number, "kind": "before", "primary": True, "of": place}
    inline = as_object(step.get("state")).get("screenshot")
    pictures: list[Picture] = []
    if inline:
        take_pixels(clean_json({"state.screenshot": inline}), pictures.append)
        yield from run.inline_uploads(path, pictures, about)
        if not pictures:
            yield Problem(path, None, "state.screenshot holds no picture.")
    if name := picture_name(step):
        found = picture_path(run.folder, name)
        if found:
            yield from run.pictures_of(found, {**about, "primary": not pictures})
        else:
            reason = "The step refers to a screenshot that is not beside the history."
            yield Problem(path, None, reason)
