"""What somebody else wrote, made fit to be kept."""

from typing import Any, NamedTuple

from agentruns.cleaning import (
    NOT_PLAIN,
    Picture,
    SecretPatterns,
    clean_json,
    clean_text,
    clip_json,
    clip_text,
    plain_json,
    redact,
    redact_text,
    take_pixels,
)

#: Far below the 16 MB of a MongoDB document, and small enough to be read in bulk.
LARGEST_DOCUMENT = 900_000
LONGEST_MESSAGE = 20_000


class Document(NamedTuple):
    """JSON fit to be stored, and the pictures that were in it."""

    data: dict[str, Any]
    pictures: tuple[Picture, ...]


def storable(value: dict[str, Any], patterns: SecretPatterns) -> Document:
    """The JSON without unstorable characters, pixels and secrets, clipped to one document."""
    kept = plain_json(patterns).copy(value)
    if kept is not NOT_PLAIN:
        return Document(clip_json(kept, LARGEST_DOCUMENT), ())
    pictures: list[Picture] = []
    # Depth 2 leaves room: a reference to a picture is nested deeper than the picture was.
    without_pixels = take_pixels(clean_json(value, depth=2), pictures.append)
    data, redacted = redact(without_pixels, patterns)
    if redacted:
        data = {**data, "redacted": list(redacted[:1000])}
    return Document(clip_json(data, LARGEST_DOCUMENT), tuple(pictures))


def plain(text: str, patterns: SecretPatterns) -> str:
    """A text fit to be a message: clean, without secrets, not too long."""
    # In this order: half a secret has no shape that anybody knows.
    return clip_text(redact_text(patterns.hide(clean_text(text))), LONGEST_MESSAGE)
