"""JSON of any size made small enough to parse, by leaving out its long texts."""

import re
from collections.abc import Iterable

#: An escape sequence or a quote: all that matters for finding where a text ends.
TOKEN = re.compile(rb'\\u[0-9a-fA-F]{4}|\\.|"', re.DOTALL)
LONGEST_TOKEN = 6


class TextShortener:
    """Copies JSON piece by piece without the ends of texts longer than `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self.kept = bytearray()
        self._longest = longest
        self._in_text = False
        self._length = 0
        self._left_out = 0

    def feed(self, data: bytes, *, last: bool) -> bytes:
        """Take the data and return its end, where a token may have been cut in two."""
        done = 0
        certain = len(data) if last else len(data) - LONGEST_TOKEN
        for token in TOKEN.finditer(data):
            if token.start() >= certain:
                break
            self._copy(data[done : token.start()])
            self._take(token[0])
            done = token.end()
        if done < certain:
            self._copy(data[done:certain])
            done = certain
        return data[done:]

    def _take(self, token: bytes) -> None:
        if token != b'"':
            self._copy(token)
            return
        if self._left_out:
            self.kept += b" [... %d bytes left out]" % self._left_out
        self.kept += token
        self._in_text, self._length, self._left_out = not self._in_text, 0, 0

    def _copy(self, data: bytes) -> None:
        if self._in_text and (self._left_out or self._length + len(data) > self._longest):
            self._left_out += len(data)
        else:
            self.kept += data
            self._length += len(data)


def without_long_texts(pieces: Iterable[bytes], longest: int) -> bytes:
    """The same JSON with a note in the place of what each long text had too much."""
    shortener, rest = TextShortener(longest), b""
    for piece in pieces:
        rest = shortener.feed(rest + piece, last=False)
    shortener.feed(rest, last=True)
    return bytes(shortener.kept)
