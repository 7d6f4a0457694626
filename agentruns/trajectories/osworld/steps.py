"""The actions of an OSWorld run: a step, what the model said, its picture."""

import re
from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import clean_json, clip_text, printable
from agentruns.models import Level
from agentruns.trajectories.cua.actions import describe
from agentruns.trajectories.item_run import ItemRun, digest_of
from agentruns.trajectories.osworld.lines import Entry
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.values import as_object, in_words, text_of

TOLD = {"step_num", "action", "action_timestamp", "response", "screenshot_file", "model_usage"}
#: Without a time in its name, beside an instruction: OS-Symphony, which looks before it acts.
LOOKS_BEFORE = re.compile(r"step_\d+(_milestone)?\.png\Z")
PICTURE = re.compile(r"(?i).*\.(png|jpe?g|gif|webp)\Z", re.DOTALL)
THOUGHTS = ("thought", "thoughts", "reasoning", "plan", "response", "text", "content")


class StepReader:
    """Turns entries into records; knows which pictures have been told."""

    def __init__(self, run: ItemRun, names: list[str]) -> None:
        self._run = run
        self._names = frozenset(names)
        self._told: set[str] = set()
        self._answer: tuple[Any, ...] = ()
        self.errors = 0

    def records(self, entry: Entry, *, is_last: bool) -> Records:
        """The records of one entry; `is_last` of those that share its step."""
        moment = entry.moment(self._run.timezone)
        if moment is None and entry.document.get("action_timestamp") is not None:
            yield Problem(entry.path, entry.offset, "action_timestamp holds no possible time.")
        self._run.at(moment)
        if "Error" in entry.document:
            yield from self._error(entry)
        elif entry.step is None and "action" not in entry.document:
            yield from self._other(entry)
        else:
            yield from self._step(entry, is_last=is_last)

    def left_pictures(self) -> Records:
        """The pictures that no entry names."""
        for name in sorted(self._names - self._told):
            if PICTURE.match(name):
                yield from self._run.pictures_of(name, _about_left(name))

    def _error(self, entry: Entry) -> Records:
        self.errors += 1
        error = entry.document["Error"]
        said = f"the runner stopped: {in_words(error)}"
        note = "OSWorld writes this line for any exception, not only at a time limit."
        data = {"kind": "error", "error": error, "note": note, "attempt": entry.attempt}
        yield from self._run.entry(Level.ERROR, said, data, *_source(entry))

    def _other(self, entry: Entry) -> Records:
        if not entry.document.keys() & {"instruction", "initial_state"}:
            yield Problem(entry.path, entry.offset, "The line tells of no step.")
        data = {"kind": "other", "content": entry.document}
        yield from self._run.entry(Level.INFO, "a line without a step", data, *_source(entry))

    def _step(self, entry: Entry, *, is_last: bool) -> Records:
        document = entry.document
        yield from self._said(entry)
        action = action_of(document.get("action"))
        data = {"kind": "action", "action": action, "attempt": entry.attempt}
        data |= {"thought": thought_of(document.get("response"))}
        if usage := as_object(document.get("model_usage")):
            data["usage"] = usage
        data |= {"more": {k: v for k, v in document.items() if k not in TOLD}}
        said = document.get("natural_language_action")
        words = said if isinstance(said, str) and said else describe(action)
        step_source = _source(entry)
        yield from self._run.step(entry.step, words, data, *step_source)
        yield from self._picture(entry, is_last=is_last)

    def _said(self, entry: Entry) -> Records:
        response = entry.document.get("response")
        thought = thought_of(response)
        answer = (entry.attempt, entry.step, digest_of(response))
        if response is not None and answer != self._answer:
            data = {"kind": "answer", "response": response, "step": entry.step}
            said = thought or "an answer without words"
            yield from self._run.entry(Level.INFO, said, data, *_source(entry), "answer")
        self._answer = answer

    def _picture(self, entry: Entry, *, is_last: bool) -> Records:
        named = entry.document.get("screenshot_file")
        if named is None or named == "":
            return
        name = self._found(named, entry.step)
        if name is None:
            reason = "The step refers to a screenshot that is not in its folder."
            yield Problem(entry.path, entry.offset, reason)
        elif name not in self._told:
            self._told.add(name)
            before = entry.moment(self._run.timezone) is None and "instruction" in entry.document
            kind = "before" if before and LOOKS_BEFORE.match(name) else "after"
            about = {"step": entry.step, "kind": kind, "primary": is_last or kind == "before"}
            yield from self._run.pictures_of(name, {**about, "attempt": entry.attempt})

    def _found(self, named: Any, step: int | None) -> str | None:
        """The file that is meant: OpenCUA's runner names one with a time that has none."""
        base = named.replace("\\", "/").rpartition("/")[2] if isinstance(named, str) else ""
        return next((n for n in (base, f"step_{step}.png") if n in self._names), None)


def action_of(value: Any) -> dict[str, Any]:
    """The action as one kind of object, whichever of its four forms it has."""
    if isinstance(value, str):
        is_word = value in {"WAIT", "DONE", "FAIL"}
        return {"type": value} if is_word else {"type": "pyautogui", "arguments": value}
    if isinstance(value, dict):
        kind = value.get("action_type") or value.get("type") or value.get("name") or "action"
        parameters = as_object(value.get("parameters"))
        inner = as_object(clean_json({**value, **parameters}))
        return {**inner, "type": str(kind).lower()}
    return {"type": "no action"} if value is None else {"type": "action", "arguments": str(value)}


def thought_of(response: Any) -> str:
    """What the model thought, in its answer of whatever form."""
    if isinstance(response, dict):
        known = (text_of(response.get(name)) for name in THOUGHTS)
        return next(filter(None, known), "")
    return clip_text(text_of(response), 100_000)


def _source(entry: Entry) -> tuple[str, str, str]:
    return printable(entry.path), str(entry.number), entry.sha256


def _about_left(name: str) -> dict[str, Any]:
    found = re.match(r"step_(\d{1,9})", name)
    kind = "annotated" if "_draw" in name else "other"
    step = int(found[1]) if found else None
    if name.startswith("initial_state") or step == 0:
        kind, step = "before", 0
    return {"step": step, "kind": kind, "primary": False}


def with_last(found: Iterator[Entry | Problem]) -> Iterator[tuple[Entry | Problem, bool]]:
    """Each entry, and whether it is the last of those that share its step."""
    waiting: Entry | None = None
    for entry in found:
        if isinstance(entry, Problem):
            yield entry, False
            continue
        if waiting is not None:
            same = (waiting.step, waiting.attempt) == (entry.step, entry.attempt)
            yield waiting, not same
        waiting = entry
    if waiting is not None:
        yield waiting, True
