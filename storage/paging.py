"""Keyset pages: where one ended is told by an opaque cursor, never by a count of records."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

#: The most that one page holds.
MOST = 1000


class Position(NamedTuple):
    """A position in a list that is ordered by time, then (in some lists) sequence, then id."""

    at: datetime
    id: UUID
    sequence: int = 0

    def cursor(self) -> str:
        """The position as text that callers hand back to us."""
        return urlsafe_b64encode(
            f"{self.at.isoformat()}|{self.id}|{self.sequence}".encode()
        ).decode()


def checked_limit(limit: int) -> int:
    """The limit itself.

    Raises:
        ValueError: unless it lies between 1 and `MOST`.
    """
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must lie between 1 and {MOST}, not {limit}")
    return limit


def read_cursor(cursor: str | None) -> Position | None:
    """The position that a cursor names; None stays None, which is the start.

    Raises:
        ValueError: when it did not come from a page.
    """
    if cursor is None:
        return None
    try:
        at, record, sequence = urlsafe_b64decode(cursor.encode("ascii")).decode().split("|")
        return Position(_aware(at), UUID(record), _ordinal(sequence))
    except (ValueError, AttributeError):
        raise ValueError(
            "the cursor is unknown: pass the `next` of the page before, unchanged"
        ) from None


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at


def _ordinal(text: str) -> int:
    if (number := int(text)) not in range(2**63):
        raise ValueError("a number that no record has")
    return number
