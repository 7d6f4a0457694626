"""Pages of documents: newest first, each page beginning where the last one ended."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.models import LogEntry, Page

MAX_LIMIT = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

#: What all lists are sorted by; the id settles the order of what happened in one millisecond.
NEWEST_FIRST = [("created_at", -1), ("_id", -1)]


class Position(NamedTuple):
    """A place in a list that is ordered by time, then id."""

    created_at: datetime
    id: UUID

    def cursor(self) -> str:
        """The place as text that callers hand back to us."""
        milliseconds = (self.created_at - _EPOCH) // _MILLISECOND
        return urlsafe_b64encode(f"{milliseconds}.{self.id.hex}".encode()).decode()

    def before(self) -> dict[str, Any]:
        """The filter for everything older, in a form that an index can bound."""
        return {
            "created_at": {"$lte": self.created_at},
            "$or": [{"created_at": {"$lt": self.created_at}}, {"_id": {"$lt": self.id}}],
        }


@dataclass(frozen=True, slots=True)
class ClusterPage(Page[LogEntry]):
    """Log entries of many agents; iterating gives the entries."""

    missing: tuple[str, ...] = ()
    """Agents (or, where nobody could name them, their pattern) whose cluster did not answer."""


def position(cursor: str) -> Position:
    """The place that a cursor stands for.

    Raises:
        ValueError: when it is not a cursor that `Position.cursor` made.
    """
    try:
        milliseconds, _, identity = urlsafe_b64decode(cursor).decode().partition(".")
        return Position(_EPOCH + int(milliseconds) * _MILLISECOND, UUID(identity))
    except (ValueError, TypeError, OverflowError):
        raise ValueError("after= takes the 'next' of an earlier page, unchanged") from None


def checked_limit(limit: int) -> int:
    """The limit, when it is one that a page may have.

    Raises:
        ValueError: when it is not between 1 and `MAX_LIMIT`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be between 1 and {MAX_LIMIT}, not {limit}")
    return limit
