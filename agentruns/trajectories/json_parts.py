"""A JSON object of any size, one part at a time: its values, and the items of its lists."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from agentruns.trajectories.files import LARGEST, Unreadable, parse

OUTER = re.compile(rb'["\[\]{},:]')
INNER = re.compile(rb'["\[\]{}]')
#: The rest of a text, to its quote.
TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BROKEN = "The JSON is broken or cut off."


class Part(NamedTuple):
    """One value of the object, or one item of a list in it."""

    key: str
    place: int | None
    """The item's place in the list under the key; None for a value that is no list."""
    offset: int
    data: bytes
    """The JSON; nothing when there is too much of it."""
    size: int

    def value(self) -> Any:
        """What the JSON says; raises `Unreadable` with the byte in the file."""
        if len(self.data) < self.size:
            reason = f"A part has {self.size} bytes, more than the {LARGEST} that are read."
            raise Unreadable(reason, self.offset)
        try:
            return parse(self.data)
        except Unreadable as fault:
            raise Unreadable(fault.reason, self.offset + (fault.offset or 0)) from None


class JsonSplitter:
    """Cuts JSON at the commas of its outermost object and of the lists in that."""

    def __init__(self) -> None:
        self.key: str | None = None
        """Under which key the open part lies."""
        self.index: int | None = None
        self.open = bytearray()
        """What is known so far of the part, or the key, that is not complete yet."""
        self._size = self._began = self._offset = self._depth = 0
        self._in_text = self._escaped = self._after_list = self._ended = False

    def feed(self, data: bytes) -> Iterator[Part]:
        """Every part that ends in the data; raises `Unreadable` where it is no JSON object."""
        start = at = 0
        while at < len(data):
            if self._in_text:
                at = self._through_text(data, at)
                continue
            inside = self._depth > (1 if self.index is None else 2)
            token = (INNER if inside else OUTER).search(data, at)
            if token is None:
                break
            at = token.end()
            if token[0] == b'"':
                self._in_text = True
            elif self._is_boundary(token[0]):
                self._take(data[start : token.start()])
                yield from self._cut(token[0], self._offset + token.start())
                start = at
                self._began = self._offset + at
        self._take(data[start:])
        self._offset += len(data)

    def end(self) -> None:
        """Say that there is no more; raises `Unreadable` when the JSON is not complete."""
        if not self._ended:
            raise Unreadable(BROKEN if self._offset else "The file is empty.", self._offset)
        if self.open.strip():
            raise Unreadable("Something follows the end of the JSON.", self._began)

    def _through_text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        if end := _end_of_text(data, at):
            self._in_text = False
            return end
        rest = data[at:]
        self._escaped = bool((len(rest) - len(rest.rstrip(b"\\"))) % 2)
        return len(data)

    def _is_boundary(self, token: bytes) -> bool:
        """Keep count of the depth; a boundary ends a part, a key or a list."""
        outside = 1 if self.index is None else 2
        if token in b"[{":
            begins_list = self._depth == 1 and token == b"[" and self.index is None
            self._depth += 1
            if begins_list and self.key is not None and not self._after_list:
                return not self.open.strip()
            return self._depth == 1
        if token in b"]}":
            self._depth -= 1
            return self._depth < outside
        return self._depth == outside and (token == b"," or self.index is None)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= LARGEST:
            self.open += data
        else:
            self.open.clear()

    def _cut(self, token: bytes, offset: int) -> Iterator[Part]:
        if self._depth == 2 and token == b"[" and self.index is None:
            self._fail_unless(not self.open.strip(), offset)
            self.index = 0
        elif self.index is not None:
            yield from self._item_ends(token, offset)
        else:
            yield from self._member_ends(token, offset)
        self._size = 0
        self.open.clear()

    def _item_ends(self, token: bytes, offset: int) -> Iterator[Part]:
        self._fail_unless(token in b",]", offset)
        index = self.index or 0
        if token == b"," or index or self._size > len(self.open) or self.open.strip():
            yield self._part()
            self.index = index + 1
        if token == b"]":
            self.index, self._after_list = None, True

    def _member_ends(self, token: bytes, offset: int) -> Iterator[Part]:
        if token == b"{":
            before = bytes(self.open).removeprefix(BYTE_ORDER_MARK).strip()
            self._fail_unless(not before and not self._ended, offset)
        elif token == b":":
            self.key = self._read_key(offset)
        else:
            self._fail_unless(token in b",}", offset)
            is_empty = token == b"}" and self.key is None and not self.open.strip()
            if not self._after_list and not is_empty:
                self._fail_unless(self.key is not None, offset)
                yield self._part()
            self._fail_unless(not self._after_list or not self.open.strip(), offset)
            self.key, self._after_list = None, False
            self._ended = token == b"}"

    def _part(self) -> Part:
        blank = len(self.open) - len(self.open.lstrip())
        return Part(
            self.key or "", self.index, self._began + blank, bytes(self.open[blank:]),
            self._size - blank,
        )  # fmt: skip

    def _read_key(self, offset: int) -> str:
        self._fail_unless(self.key is None, offset)
        try:
            key = json.loads(self.open)
        except (ValueError, RecursionError):
            key = None
        if not isinstance(key, str):
            raise Unreadable(BROKEN, offset)
        return key

    def _fail_unless(self, fits: bool, offset: int) -> None:
        if not fits:
            raise Unreadable(BROKEN, offset)


def parts_of(pieces: Iterable[bytes]) -> Iterator[Part]:
    """The parts of a JSON object; raises `Unreadable` where it ends too soon or is none."""
    splitter, first = JsonSplitter(), True
    for piece in pieces:
        if first:
            _check_beginning(piece)
        first = False
        yield from splitter.feed(piece)
    splitter.end()


def _end_of_text(data: bytes, at: int) -> int:
    """Where the text goes no further, 0 where that is not in the data."""
    quote = data.find(b'"', at)
    if quote >= 0 and data.find(b"\\", at, quote) < 0:  # base64, most of all; the pattern is slow
        return quote + 1
    end = TEXT.match(data, at) if quote >= 0 else None
    return end.end() if end else 0


def _check_beginning(piece: bytes) -> None:
    beginning = piece.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if beginning == b"[":
        raise Unreadable("The file holds a JSON list, not an object.", 0)
    if beginning != b"{":
        raise Unreadable("The file holds no JSON object.", 0)
