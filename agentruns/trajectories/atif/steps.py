"""The steps of an ATIF trajectory."""

from datetime import UTC
from typing import Any

from agentruns.cleaning import clean_json
from agentruns.models import Level
from agentruns.trajectories.atif.content import picture_records
from agentruns.trajectories.cua.actions import describe
from agentruns.trajectories.item_run import ItemRun, ordinal
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import from_iso
from agentruns.trajectories.values import as_list, as_object, text_of

#: Numbers by the thousand for each answer, which nobody reads here: only counted.
COUNTED = ("logprobs", "prompt_token_ids", "completion_token_ids")
SOURCES = ("user", "agent", "system")


def step_records(run: ItemRun, path: str, step: Any, place: int, of: str = "") -> Records:
    """The records of one step; `of` names the sub-agent that took it."""
    if not isinstance(step, dict):
        yield Problem(path, None, f"Step {place + 1} is a JSON {type(step).__name__}, no object.")
        return
    yield from _faults(path, step, place)
    run.at(from_iso(step.get("timestamp"), run.timezone))
    number = None if of else ordinal(step.get("step_id"))
    source = (path, of, str(place))
    yield from _said(run, step, source)
    if step.get("source") == "agent" or step.get("tool_calls") or step.get("observation"):
        yield from _step(run, step, number, source)
    pictured = bool(step.get("observation"))
    about: dict[str, Any] = {"step": number, "kind": "after" if pictured else "message"}
    about |= {"primary": pictured and not of, "of": "/".join(source[1:])[:300]}
    yield from picture_records(run, step, about, path)


def _faults(path: str, step: dict[str, Any], place: int) -> Records:
    if ordinal(step.get("step_id")) != place + 1:
        yield Problem(path, None, f"step_id of step {place + 1} is not {place + 1}.")
    if step.get("source") not in SOURCES:
        yield Problem(path, None, f"The source of step {place + 1} is none that is known.")
    if step.get("timestamp") is not None and from_iso(step["timestamp"], UTC) is None:
        yield Problem(path, None, f"timestamp of step {place + 1} holds no possible time.")


def _said(run: ItemRun, step: dict[str, Any], source: tuple[str, str, str]) -> Records:
    message = text_of(step.get("message"))
    reasoning = step.get("reasoning_content")
    said = message or (reasoning if isinstance(reasoning, str) else "")
    if said:
        who = step.get("source")
        kind = "answer" if who == "agent" else "message"
        data = {"kind": kind, "from": who, "text": message, "reasoning": reasoning}
        data |= {"step_id": step.get("step_id"), **_sub_agent(source)}
        yield from run.entry(Level.INFO, said, data, *source)


def _sub_agent(source: tuple[str, str, str]) -> dict[str, str]:
    return {"subagent": source[1]} if source[1] else {}


def _step(
    run: ItemRun, step: dict[str, Any], number: int | None, source: tuple[str, str, str]
) -> Records:
    actions = [_action(as_object(call)) for call in as_list(step.get("tool_calls"))]
    several = {"type": "sequence", "actions": actions}
    action = actions[0] if len(actions) == 1 else several if actions else {"type": "message"}
    thought = step.get("reasoning_content") or text_of(step.get("message"))
    data = {"kind": "action", "action": action, "thought": thought, **_sub_agent(source)}
    data |= {"usage": usage_of(step.get("metrics")), "result": _results(step)}
    told = {"tool_calls", "reasoning_content", "message", "metrics", "observation"}
    data |= {"more": {k: v for k, v in step.items() if k not in told}}
    words = "; ".join(map(describe, actions)) or text_of(step.get("message")) or "a step"
    yield from run.step(number, words, data, *source)


def _action(call: dict[str, Any]) -> dict[str, Any]:
    name, arguments = call.get("function_name"), clean_json(call.get("arguments"))
    kind = name if isinstance(name, str) and name else "function"
    return {"type": kind, "arguments": arguments, "call_id": call.get("tool_call_id")}


def _results(step: dict[str, Any]) -> list[Any]:
    """What the calls gave back, in words: pictures are told on their own."""
    results = map(as_object, as_list(as_object(step.get("observation")).get("results")))
    return [
        {**{k: v for k, v in result.items() if k != "content"}, "text": text_of(content)}
        for result in results
        for content in [result.get("content")]
    ]


def usage_of(metrics: Any) -> dict[str, Any]:
    """What was used; lists of tokens are only counted."""
    known = as_object(metrics)
    counts = {f"{k}_left_out": len(as_list(v)) for k, v in known.items() if k in COUNTED}
    return {k: v for k, v in known.items() if k not in COUNTED} | counts
