"""JSON of unknown shape, taken as what it should be."""

import ast
import json
import warnings
from typing import Any

from agentruns.cleaning import clean_json

#: Longer literals are left as text: parsing one costs a hundred times its size.
LONGEST_LITERAL = 100_000


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def in_words(value: Any) -> str:
    """Text as it is, other JSON as it would be written."""
    return value if isinstance(value, str) else json.dumps(clean_json(value))


def unpacked(text: Any) -> Any:
    """The value written in a text as JSON or as a Python literal; other text as it is."""
    if not isinstance(text, str) or text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _literal(text)


def _literal(text: str) -> Any:
    if len(text) > LONGEST_LITERAL:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in foreign text concerns nobody
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def text_of(content: Any) -> str:
    """The text in a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = [
        part if isinstance(part, str) else as_object(part).get("text") for part in as_list(content)
    ]
    return "\n".join(part for part in parts if isinstance(part, str))
