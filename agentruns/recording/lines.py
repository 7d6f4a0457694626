"""Bytes as a program prints them, cut into the lines that a person would have seen."""

from collections.abc import Iterator
from dataclasses import dataclass

from agentruns.cleaning import clean_text, redact

#: Longer lines are cut: a store takes no endless document, and nobody reads one.
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, free of secrets and of characters that no store takes."""

    text: str
    damaged: bool = False
    """It held bytes that are not UTF-8; they are spelled out (`\\xff`)."""


class LineBuffer:
    """Takes bytes however they arrive and gives whole lines back; holds one line at most."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now."""
        *whole, rest = (self._rest + data).split(b"\n")
        *full, self._rest = _pieces(_unfinished(rest))
        return [piece for line in whole for piece in _pieces(_last_state(line))] + full

    def flush(self) -> list[bytes]:
        """What was begun and never finished."""
        rest, self._rest = _last_state(self._rest), b""
        return [rest] if rest else []


def readable(lines: list[bytes]) -> list[Line]:
    """The lines as text; secrets are looked for in all of them together, as keys span lines."""
    texts = [line.decode(errors="backslashreplace") for line in lines]
    damaged = [not _is_utf8(line) for line in lines] if not _is_utf8(b"".join(lines)) else None
    shown = str(redact(clean_text("\n".join(texts))).value).split("\n")
    if damaged is None:
        return [Line(text) for text in shown]
    if len(shown) != len(damaged):
        damaged = [True] * len(shown)
    return [Line(text, mark) for text, mark in zip(shown, damaged, strict=True)]


def _last_state(line: bytes) -> bytes:
    # A progress bar draws over itself; what stood there last is what was seen.
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _unfinished(rest: bytes) -> bytes:
    # The last carriage return may be half of a line's end.
    return _last_state(rest) + b"\r" * rest.endswith(b"\r")


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > LONGEST_LINE:
        end = _character_start(line, LONGEST_LINE)
        yield line[:end]
        line = line[end:]
    yield line


def _character_start(line: bytes, position: int) -> int:
    start = position
    while start > position - 4 and line[start] & 0b1100_0000 == 0b1000_0000:
        start -= 1
    return start


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
