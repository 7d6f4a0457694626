"""The one clock."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The present, aware and in UTC, cut to milliseconds, which is what MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
