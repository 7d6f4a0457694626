"""Pages of documents, newest first."""

from dataclasses import dataclass
from typing import Any

from agentruns.models import LogEntry, Page
from storage.paging import Position

#: What all lists are sorted by; the id settles the order of what happened in one millisecond.
NEWEST_FIRST = [("created_at", -1), ("_id", -1)]


@dataclass(frozen=True, slots=True)
class ClusterPage(Page[LogEntry]):
    """Log entries of many agents; iterating gives the entries."""

    missing: tuple[str, ...] = ()
    """Agents (or, where nobody could name them, their pattern) whose cluster did not answer."""


def before(position: Position) -> dict[str, Any]:
    """The filter for everything older, in a form that an index can bound."""
    return {
        "created_at": {"$lte": position.at},
        "$or": [{"created_at": {"$lt": position.at}}, {"_id": {"$lt": position.id}}],
    }
