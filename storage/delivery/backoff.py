"""Waiting for a store that is away, longer each time, with two lines in the log."""

import logging
import random
from threading import Event

from agentruns.cleaning import redact_text
from agentruns.spool import SpoolError
from storage.errors import StorageError

_LOGGER = logging.getLogger(__name__)

_FIRST_SECONDS = 0.25
_MOST_SECONDS = 60.0


class Backoff:
    """Waits between two tries of one lane, longer after each failure; the log hears of it twice."""

    def __init__(self, name: str, stopping: Event) -> None:
        self._name = name
        self._stopping = stopping
        self.failures = 0

    def wait(self, error: Exception) -> None:
        """Wait after a failure, at once over when the delivery stops."""
        self._stopping.wait(self.failed(error))

    def failed(self, error: Exception) -> float:
        """Note a failure; gives the seconds until it should be tried again."""
        if not self.failures:
            _LOGGER.warning("%s wait: %s", self._name, in_words(error))
        most = min(_MOST_SECONDS, _FIRST_SECONDS * 2**self.failures)
        self.failures = min(self.failures + 1, 1000)
        # Full jitter: all who wait for a store that comes back do not come back together.
        return random.uniform(0, most)  # noqa: S311 - a pause is no secret

    def over(self) -> None:
        """It works (again)."""
        if self.failures:
            _LOGGER.info("%s go on after %d failed tries.", self._name, self.failures)
        self.failures = 0


def in_words(error: Exception) -> str:
    """What went wrong in one line without a secret."""
    words = str(error) if isinstance(error, StorageError | SpoolError) else repr_of(error)
    return redact_text(" ".join(words.split()))[:500]


def repr_of(error: Exception) -> str:
    """A foreign error by its name and its words."""
    return f"{type(error).__name__}: {error}"
