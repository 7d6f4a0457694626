"""Lines of any length in a file of any size."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentruns.trajectories.files import LARGEST, Unreadable


class Line(NamedTuple):
    """One line and where it begins."""

    number: int
    offset: int
    data: bytes
    size: int

    def content(self) -> bytes:
        """The line; raises `Unreadable` for one that was too long to be held."""
        if len(self.data) < self.size:
            reason = f"A line has {self.size} bytes, more than the {LARGEST} that are read."
            raise Unreadable(reason, self.offset)
        return self.data


def lines_of(pieces: Iterable[bytes]) -> Iterator[Line]:
    """Every line that is not blank, counted from 0; of one that is too long only its size."""
    number, offset, size, held = 0, 0, 0, bytearray()
    for piece in pieces:
        first, *others = piece.split(b"\n")
        for begins_line, data in enumerate([first, *others]):
            if begins_line:
                yield from _line(number, offset, held, size)
                number, offset, size, held = number + 1, offset + size + 1, 0, bytearray()
            size += len(data)
            held = held + data if size <= LARGEST else bytearray()
    yield from _line(number, offset, held, size)


def _line(number: int, offset: int, held: bytearray, size: int) -> Iterator[Line]:
    if held.strip() or size > len(held):
        yield Line(number, offset, bytes(held), size)
