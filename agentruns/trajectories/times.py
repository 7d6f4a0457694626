"""The moments of foreign runs: when, and how that is known."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from agentruns.models import utcnow

#: Nothing was recorded before the formats existed, nor much later than now.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
CLOCKS_MAY_DIFFER = timedelta(days=2)
#: What fromisoformat takes beyond RFC 3339, weeks for example, no tool writes.
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?\Z")


class Moment(NamedTuple):
    """A time, and what it was taken from."""

    time: datetime
    time_from: str


def possible(time: datetime) -> datetime | None:
    """The time, or None where nothing can have happened then."""
    try:
        return time if EARLIEST <= time <= utcnow() + CLOCKS_MAY_DIFFER else None
    except OverflowError:  # the zone shifts it out of the years 1 to 9999
        return None


def from_unix(value: Any) -> Moment | None:
    """The moment of so many seconds since 1970, or None where that is none."""
    if type(value) not in {int, float}:
        return None
    try:
        time = possible(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError):
        return None
    return Moment(time, "file") if time else None


def from_iso(value: Any, zone: tzinfo) -> Moment | None:
    """The moment of an ISO 8601 text, taken in the zone where it has none itself."""
    if not isinstance(value, str) or not ISO.match(value):
        return None
    try:
        time = datetime.fromisoformat(value.replace(",", "."))
    except ValueError:
        return None
    return _certain(time) if time.tzinfo else in_zone(time, zone)


def in_zone(time: datetime, zone: tzinfo) -> Moment | None:
    """The moment of a local clock's time; it says which zone was assumed."""
    local = possible(time.replace(tzinfo=zone))
    return Moment(local, f"file, a local time taken as {zone}") if local else None


def _certain(time: datetime) -> Moment | None:
    known = possible(time)
    return Moment(known, "file") if known else None
