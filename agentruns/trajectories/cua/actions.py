"""What an action was, in words, and what it gave back."""

import json
from collections.abc import Callable
from typing import Any

from agentruns.cleaning import clean_json, clip_text
from agentruns.trajectories.values import as_list, as_object, unpacked


def action_of(item: dict[str, Any]) -> dict[str, Any]:
    """The action of a computer call or a function call, as one kind of object."""
    if item.get("type") == "function_call" or "arguments" in item:
        arguments = unpacked(item.get("arguments"))
        action = {"type": item.get("name") or "function", "arguments": arguments}
        return as_object(clean_json(action))
    return as_object(clean_json(item.get("action")))


def describe(action: dict[str, Any]) -> str:
    """The action as a person would say it: click (412, 230), type 'hello'."""
    kind = str(action.get("type") or action.get("action") or "unknown action")
    if "arguments" in action:
        return _describe_function(kind, action["arguments"])
    return clip_text(WORDINGS.get(kind, _describe_other)(kind, action), 300)


def _describe_function(name: str, arguments: Any) -> str:
    inner = as_object(arguments)
    if isinstance(inner.get("action"), str):
        return describe({**inner, **_coordinates(inner), "type": inner["action"]})
    if isinstance(arguments, str):
        return clip_text(f"{name} {arguments}".strip(), 300)
    return clip_text(_describe_other(name, {**inner, "type": name}), 300)


def _coordinates(arguments: dict[str, Any]) -> dict[str, Any]:
    point = arguments.get("coordinate")
    return {"x": point[0], "y": point[1]} if isinstance(point, list) and len(point) == 2 else {}


def _describe_other(kind: str, action: dict[str, Any]) -> str:
    if "x" in action and "y" in action:
        return _describe_pointing(kind, action)
    ignored = {"type", "action", "coordinate"}
    words = [f"{k}={clip_text(repr(v), 80)}" for k, v in action.items() if k not in ignored]
    return " ".join([kind, *words])


def _describe_pointing(kind: str, action: dict[str, Any]) -> str:
    button = action.get("button")
    which = f"{button} " if button not in (None, "left") else ""
    return f"{which}{kind} ({action['x']}, {action['y']})"


def _describe_typing(kind: str, action: dict[str, Any]) -> str:
    return f"{kind} {clip_text(repr(action.get('text', '')), 200)}"


def _describe_keys(kind: str, action: dict[str, Any]) -> str:
    keys = action.get("keys") or action.get("key") or action.get("text") or ""
    return f"{kind} {'+'.join(map(str, keys)) if isinstance(keys, list) else keys}"


def _describe_scroll(kind: str, action: dict[str, Any]) -> str:
    if "x" not in action:
        return _describe_other(kind, action)
    amount = f"by ({action.get('scroll_x', 0)}, {action.get('scroll_y', 0)})"
    return f"{kind} {amount} at ({action['x']}, {action.get('y')})"


def _describe_drag(kind: str, action: dict[str, Any]) -> str:
    points = [as_object(point) for point in as_list(action.get("path"))]
    if not points:
        a = action
        points = [{"x": a.get("start_x"), "y": a.get("start_y")}]
        points += [{"x": a.get("end_x"), "y": a.get("end_y")}]
    first, last = points[0], points[-1]
    return f"{kind} ({first.get('x')}, {first.get('y')}) to ({last.get('x')}, {last.get('y')})"


WORDINGS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "type": _describe_typing,
    "keypress": _describe_keys,
    "key": _describe_keys,
    "hotkey": _describe_keys,
    "scroll": _describe_scroll,
    "drag": _describe_drag,
}


def error_in(output: Any) -> str | None:
    """What went wrong according to a call's output, or None."""
    value = as_object(unpacked(output))
    error = value.get("error")
    if error:
        return error if isinstance(error, str) else json.dumps(clean_json(error))
    return "the call reported no success" if value.get("success") is False else None
