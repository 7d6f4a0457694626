"""The time inside a run."""

import time
from datetime import datetime, timedelta

from agentruns.models import utcnow


class RunClock:
    """Tells the wall clock's time at the beginning plus what has passed since; never goes back."""

    def __init__(self) -> None:
        self._begin = utcnow()
        self._started = time.monotonic_ns()

    def now(self) -> datetime:
        """The present, aware and in UTC, cut to milliseconds."""
        passed = (time.monotonic_ns() - self._started) // 1_000_000
        return self._begin + timedelta(milliseconds=passed)
