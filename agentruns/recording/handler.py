"""Standard logging as log entries of a run."""

import logging
import threading
from typing import Any

from agentruns.models import Level
from agentruns.recording.ending import exception_in_words
from agentruns.recording.run import Run

#: What every record of logging has; the rest was given as `extra`.
USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: The recorder's own words to people: they are about the run, not of it.
OURS = "agentruns"


def logging_handler(run: Run, level: int = logging.NOTSET) -> logging.Handler:
    """A handler that keeps what is logged as entries of the run, to be added to any logger."""
    return _RunHandler(run, level)


class _RunHandler(logging.Handler):
    def __init__(self, run: Run, level: int) -> None:
        super().__init__(level)
        self._run = run
        # What the spool itself may log must not end up in the spool for ever.
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == OURS or getattr(self._busy, "emitting", False):
            return
        self._busy.emitting = True
        try:
            self._run.log(record.getMessage(), _level(record.levelno), **_data(record))
        except Exception:  # logging never fails its caller
            self.handleError(record)
        finally:
            self._busy.emitting = False


def _level(number: int) -> Level:
    if number < logging.INFO:
        return Level.DEBUG
    if number < logging.WARNING:
        return Level.INFO
    if number < logging.ERROR:
        return Level.WARNING
    return Level.ERROR if number < logging.CRITICAL else Level.CRITICAL


def _data(record: logging.LogRecord) -> dict[str, Any]:
    data: dict[str, Any] = {"logger": record.name}
    if record.exc_info and record.exc_info[1]:
        data["exception"] = exception_in_words(record.exc_info[1])
    if record.stack_info:
        data["stack"] = record.stack_info
    if extra := {key: value for key, value in vars(record).items() if key not in USUAL}:
        data["extra"] = extra
    return data
