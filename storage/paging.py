"""Keyset pages: where one ended is told by an opaque cursor, never by a count of records."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

#: The most that one page holds.
MOST = 1000


class Place(NamedTuple):
    """A place in a list that is ordered by time, then id."""

    at: datetime
    id: UUID

    def cursor(self) -> str:
        """The place as text that callers hand back to us."""
        return urlsafe_b64encode(f"{self.at.isoformat()}|{self.id}".encode()).decode()


def checked_limit(limit: int) -> int:
    """The limit itself.

    Raises:
        ValueError: unless it lies between 1 and `MOST`.
    """
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must lie between 1 and {MOST}, not {limit}")
    return limit


def read_cursor(cursor: str | None) -> Place | None:
    """The place that a cursor names; None stays None, which is the start.

    Raises:
        ValueError: when it did not come from a page.
    """
    if cursor is None:
        return None
    try:
        at, _, record = urlsafe_b64decode(cursor.encode("ascii")).decode().partition("|")
        return Place(_aware(at), UUID(record))
    except (ValueError, AttributeError):
        raise ValueError(
            "the cursor is unknown: pass the `next` of the page before, unchanged"
        ) from None


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at
