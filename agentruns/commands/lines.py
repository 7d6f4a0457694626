"""Bytes as a program prints them, cut into the lines that a person would have seen."""

from collections.abc import Iterator
from dataclasses import dataclass

from agentruns.cleaning import SecretPatterns, clean_text, redact

#: Longer lines are cut: a store takes no endless document, and nobody reads one.
LONGEST_LINE = 64 * 1024
NO_PATTERNS = SecretPatterns()


@dataclass(frozen=True, slots=True)
class Lines:
    """Printed lines that came together, free of secrets and of what no store takes."""

    texts: list[str]
    damaged: frozenset[int] = frozenset()
    """Which of them held bytes that are not UTF-8; these are spelled out (`\\xff`)."""
    unfinished: bool = False
    """The last of them may go on: it was shown because nothing had come for a while."""


class LineBuffer:
    """Takes bytes however they arrive and gives whole lines back; holds one line at most."""

    def __init__(self) -> None:
        self._rest = b""
        self._given = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now."""
        *whole, rest = (self._rest + data).split(b"\n")
        *full, self._rest = _pieces(_unfinished(rest))
        # What ends a line that was given before it ended is no line of its own.
        if self._given and whole:
            self._given = False
            whole = whole if whole[0].strip(b"\r") else whole[1:]
        return _as_seen(whole) + full

    def flush(self) -> list[bytes]:
        """What was begun and is not finished; what comes to finish it counts as another line."""
        rest, self._rest = _last_state(self._rest), b""
        self._given = self._given or bool(rest)
        return [rest] if rest else []


def readable(
    lines: list[bytes], patterns: SecretPatterns = NO_PATTERNS, *, unfinished: bool = False
) -> Lines:
    """The lines as text; secrets are looked for in all of them together, as keys span lines."""
    joined = b"\n".join(lines)
    text = clean_text(joined.decode(errors="backslashreplace"))
    shown = str(redact(text, patterns).value).split("\n")
    damaged = frozenset[int]() if _is_utf8(joined) else _damaged(lines, shown)
    return Lines(shown, damaged, unfinished)


def _damaged(lines: list[bytes], shown: list[str]) -> frozenset[int]:
    if len(shown) != len(lines):
        return frozenset(range(len(shown)))
    return frozenset(number for number, line in enumerate(lines) if not _is_utf8(line))


def _as_seen(lines: list[bytes]) -> list[bytes]:
    # A flood is mostly plain lines, and these need no work of ours one by one.
    if max(map(len, lines), default=0) <= LONGEST_LINE and not any(b"\r" in x for x in lines):
        return lines
    return [piece for line in lines for piece in _pieces(_last_state(line))]


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
