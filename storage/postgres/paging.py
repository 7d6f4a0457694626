"""Keyset pages: where one ended is told by an opaque cursor, never by a count of rows."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from agentruns.models import Page

MOST = 1000

Item = TypeVar("Item")


class Place(NamedTuple):
    """The time and id of the last item of a page."""

    at: datetime
    id: UUID


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
        at, _, record = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().partition("|")
        return Place(_aware(at), UUID(record))
    except (ValueError, binascii.Error):
        raise ValueError(
            "the cursor is unknown: pass the `next` of the page before, unchanged"
        ) from None


def page(rows: Sequence[Item], limit: int, place: Callable[[Item], Place]) -> Page[Item]:
    """The first `limit` of the rows; one more among them says that another page follows."""
    items = tuple(rows[:limit])
    return Page(items, _write_cursor(place(items[-1])) if len(rows) > limit else None)


def _write_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place.at.isoformat()}|{place.id}".encode()).decode()


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at
