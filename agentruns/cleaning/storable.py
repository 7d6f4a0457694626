"""JSON that every store takes, and documents that are small enough to be one."""

import base64
import json
import math
from typing import Any

from agentruns.cleaning.text import clean_text, clip_text
from agentruns.models.values import MAX_JSON_DEPTH

#: How long the texts and how large the containers of a document may be, tried in this order.
SHORTER = ((100_000, 10_000), (10_000, 1_000), (1_000, 100), (200, 20))


def clean_json(value: Any, depth: int = 0) -> Any:
    """The same value with everything that a store would refuse turned into text; never raises.

    NUL and lone surrogates become U+FFFD; NaN, Infinity, integers beyond 64 bits and types that
    JSON does not have become text, bytes as base64; so does what is nested too deeply or contains
    itself. Clean JSON stays as it is.
    """
    return _clean(value, depth, ())


def _clean(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else _number_as_text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else json.dumps(float(value))
    if isinstance(value, dict | list | tuple):
        return _clean_container(value, depth + 1, above)
    return _in_words(value)


def _in_words(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    try:
        return clean_text(str(value))
    except Exception:  # whatever an agent's own class raises
        return f"[left out: {type(value).__name__} that cannot be written as text]"


def _number_as_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write more than 4,300 decimal digits
        return hex(value)


def _clean_container(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    if id(value) in above:
        return "[left out: it contains itself]"
    if depth > MAX_JSON_DEPTH:
        return _as_text(value)
    above = (*above, id(value))
    if not isinstance(value, dict):
        return [_clean(item, depth, above) for item in value]
    clean: dict[str, Any] = {}
    # A copy, as another thread of the agent may still be at work on its own.
    for key, item in list(value.items()):
        name = key if isinstance(key, str) else _in_words(key)
        clean[free_key(clean_text(name), clean)] = _clean(item, depth, above)
    return clean


def free_key(key: str, taken: dict[str, Any]) -> str:
    """The key, numbered when it is taken, so that cleaning keys never loses a value."""
    free, number = key, 2
    while free in taken:
        free, number = f"{key}_{number}", number + 1
    return free


def _as_text(value: Any) -> str:
    try:
        return clean_text(json.dumps(value, default=_in_words))
    except (RecursionError, ValueError, TypeError):
        return f"[left out: nested deeper than {MAX_JSON_DEPTH} levels]"


def clip_json(value: Any, limit: int) -> Any:
    """Clean JSON of at most `limit` bytes: long texts and containers are cut, each with a note."""
    if _size(value) <= limit:
        return value
    for texts, items in SHORTER:
        shorter = _shorten(value, texts, items)
        if _size(shorter) <= limit:
            return shorter
    return {"left_out": f"{_size(value)} bytes of JSON, more than the {limit} of one document"}


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _shorten(value: Any, texts: int, items: int) -> Any:
    if isinstance(value, str):
        return clip_text(value, texts)
    if isinstance(value, list):
        kept = [_shorten(item, texts, items) for item in value[:items]]
        return kept if len(value) <= items else [*kept, f"[... {len(value) - items} more left out]"]
    if isinstance(value, dict):
        return _shorten_object(value, texts, items)
    return value


def _shorten_object(value: dict[str, Any], texts: int, items: int) -> dict[str, Any]:
    kept = {
        clip_text(key, texts): _shorten(item, texts, items)
        for key, item in list(value.items())[:items]
    }
    return kept if len(value) <= items else {**kept, "...": f"{len(value) - items} more left out"}
