"""Times that were written down without a zone."""

from datetime import UTC, datetime, timedelta, tzinfo

from agentruns.models import utcnow

#: Nothing was recorded before the formats existed, nor much later than now.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
CLOCKS_MAY_DIFFER = timedelta(days=2)


def local_time(text: str, layout: str, timezone: tzinfo) -> datetime | None:
    """The time that a clock in the zone showed, or None where it is no possible one."""
    try:
        return possible(datetime.strptime(text, layout).replace(tzinfo=timezone).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def unix_time(value: object) -> datetime | None:
    """The time of seconds since 1970, or None where it is no possible one."""
    if type(value) not in {int, float}:
        return None
    try:
        return possible(datetime.fromtimestamp(value, UTC))  # type: ignore[arg-type]  # is a number
    except (ValueError, OverflowError, OSError):
        return None


def possible(moment: datetime) -> datetime | None:
    """The moment, if anything can have been recorded then."""
    return moment if EARLIEST <= moment <= utcnow() + CLOCKS_MAY_DIFFER else None
