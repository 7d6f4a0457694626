"""Warnings about a recording that fails while the agent goes on."""

import logging

from agentruns.spool import SpoolError

log = logging.getLogger("agentruns")


class FailureLog:
    """Says once that recording fails, and once that it works again and how much is missing."""

    def __init__(self) -> None:
        self._missing = 0

    def failed(self, error: Exception) -> None:
        """Note that something could not be recorded."""
        self._missing += 1
        if self._missing == 1:
            log.warning("%s The agent goes on without being recorded.", _in_words(error))

    def worked(self, *, is_open: bool) -> None:
        """Note that what was told while a run is open was recorded."""
        if self._missing and is_open:
            log.warning("Recording works again; %d parts of the run are missing.", self._missing)
            self._missing = 0


def _in_words(error: Exception) -> str:
    if isinstance(error, SpoolError):
        return str(error)  # a sentence that says what to do
    # The text of any other error may hold what the agent said.
    told = f": {error}" if isinstance(error, OSError) else ""
    return f"A part of the run could not be recorded ({type(error).__name__}{told})."
