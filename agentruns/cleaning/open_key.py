"""A private key whose lines come one after the other, so that no pattern sees it as a whole."""

import re

from agentruns.cleaning.secret_shapes import REDACTED

BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----\s*\Z")
END = "-----END "
#: Lines of a key, and no words: those of its base64, a header, an empty one.
BODY = re.compile(r"\s*(?:[A-Za-z0-9+/]{16,}+={0,2}|(?:Proc-Type|DEK-Info): .*)?\s*\Z")


class OpenKey:
    """Hides the lines that go on with a private key of which the beginning was seen before."""

    def __init__(self) -> None:
        self.is_open = False
        """Whether the next lines may go on with a key."""

    def hide(self, lines: list[str]) -> list[str]:
        """The lines that came together, `REDACTED` for those that belong to the key before."""
        own = self._length(lines) if self.is_open else 0
        rest = lines[own:]
        self.is_open = _ends_inside(rest) if rest else self.is_open
        return [REDACTED, *rest] if own else rest

    def _length(self, lines: list[str]) -> int:
        """How many lines go on with the key."""
        for number, line in enumerate(lines):
            if END in line:
                self.is_open = False
                return number + 1
            if not BODY.match(line):
                return number
        return len(lines)


def _ends_inside(lines: list[str]) -> bool:
    """Whether the last of the lines belongs to a key that goes on."""
    for line in reversed(lines):
        if BEGIN.search(line):
            return True
        if not BODY.match(line):
            return False
    return False
