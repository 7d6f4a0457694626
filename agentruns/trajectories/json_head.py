"""What kind of JSON a file holds, told by its first kilobytes."""

from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from agentruns.trajectories.files import Unreadable, read_pieces
from agentruns.trajectories.json_parts import JsonSplitter
from agentruns.trajectories.listing import refusal
from agentruns.trajectories.walking import mode_of

#: Of a file that is looked at; the names that tell a format come early.
HEAD = 2**16


class Head(NamedTuple):
    """The values at the beginning of an object, and the first item of each list in it."""

    values: dict[str, bytes]
    firsts: dict[str, bytes]
    """The last of them may be cut off."""


def head_of(path: Path) -> Head:
    """The beginning of a JSON file, empty for whatever else the path is."""
    if path.suffix.lower() != ".json" or refusal(mode_of(path)):
        return Head({}, {})
    with suppress(Unreadable):
        pieces = read_pieces(path.parent, path.name)
        return parse_head(next(pieces, b"")[:HEAD])
    return Head({}, {})


def parse_head(data: bytes) -> Head:
    """The same of bytes."""
    splitter, head = JsonSplitter(), Head({}, {})
    with suppress(Unreadable):
        for part in splitter.feed(data):
            kept = head.values if part.place is None else head.firsts
            kept.setdefault(part.key, part.data)
    if splitter.key is not None:
        kept = head.values if splitter.index is None else head.firsts
        kept.setdefault(splitter.key, bytes(splitter.open))
    return head


def keys_of(beginning: bytes) -> set[str]:
    """The names in an object of which the end may be missing."""
    head = parse_head(beginning)
    return set(chain(head.values, head.firsts))
