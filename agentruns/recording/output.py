"""What a block of code writes to its standard streams, read along."""

import io
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

from agentruns.cleaning import OpenKey
from agentruns.models import Level
from agentruns.recording.forking import begin_anew_in_children

log = logging.getLogger("agentruns")
#: Longer lines are cut in pieces, so that a progress bar of dots does not grow for ever.
LONGEST_LINE = 64 * 1024

#: Takes the level, the name of the stream, and whole lines that came together.
Listener = Callable[[Level, str, str], None]

#: Threads in which a listener is at work; what it writes itself is not told to it.
_BUSY = threading.local()


class OutputCapture(AbstractContextManager[None]):
    """Both standard streams of Python, read along while the block runs."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        self._out = ReadAlong(sys.stdout, Level.INFO, "stdout", self._listener)
        self._err = ReadAlong(sys.stderr, Level.WARNING, "stderr", self._listener)
        sys.stdout, sys.stderr = self._out, self._err

    def __exit__(self, *_: object) -> None:
        # Somebody else may have put their own stream on top, and takes it away in their own time.
        if sys.stdout is self._out:
            sys.stdout = self._out.stream
        if sys.stderr is self._err:
            sys.stderr = self._err.stream
        self._out.stop()
        self._err.stop()


class _Nowhere(io.TextIOBase):
    """Where a process without standard streams, a daemon perhaps, writes to."""

    def write(self, text: str) -> int:
        return len(text)


class ReadAlong:
    """A stream whose lines are also told to a listener."""

    def __init__(self, stream: TextIO, level: Level, name: str, listener: Listener) -> None:
        self.stream = stream
        self._into = stream or _Nowhere()
        self._level = level
        self._name = name
        self._listener = listener
        self._turn = threading.RLock()
        self._rest = ""
        self._key = OpenKey()
        self._lost = 0
        self._stopped = False
        begin_anew_in_children(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._into, name)

    def write(self, text: str) -> int:
        """Write to the stream, then tell the lines that are complete now."""
        written = self._into.write(text)
        if not self._stopped:
            self._take(text)
        return written

    def writelines(self, lines: Any) -> None:
        """Write each of the texts."""
        for line in lines:
            self.write(line)

    def begin_anew(self) -> None:
        """Leave what was begun to the parent, in a forked child."""
        # Another thread of the parent may have held the lock, and a child has none to release it.
        self._turn = threading.RLock()
        self._rest = ""

    def stop(self) -> None:
        """Tell what was begun and never finished; from now on only the stream is written to."""
        with self._turn:
            self._stopped = True
            rest, self._rest = _last_state(self._rest), ""
            self._tell([rest] if rest else [])
        if self._lost:
            log.warning("%d lines of %s could not be kept.", self._lost, self._name)

    def _take(self, text: str) -> None:
        with self._turn:
            *whole, rest = (self._rest + text).split("\n")
            self._rest = _unfinished(rest)
            lines = [_last_state(line) for line in whole]
            if len(self._rest) > LONGEST_LINE:
                lines.append(self._rest)
                self._rest = ""
            self._tell(lines)

    def _tell(self, lines: list[str]) -> None:
        if not lines or getattr(_BUSY, "listening", False):
            return
        _BUSY.listening = True
        try:
            self._listener(self._level, self._name, "\n".join(self._key.hide(lines)))
        except Exception as error:  # a full spool must not make the agent's print() fail
            self._complain(error)
            self._lost += len(lines)
        finally:
            _BUSY.listening = False

    def _complain(self, error: Exception) -> None:
        if not self._lost:
            log.warning("What is written to %s could not be kept: %s", self._name, error)


def _last_state(line: str) -> str:
    # A progress bar draws over itself; what stood there last is what was seen.
    return line.rstrip("\r").rpartition("\r")[2]


def _unfinished(rest: str) -> str:
    # The last carriage return may be half of a line's end.
    return _last_state(rest) + "\r" * rest.endswith("\r")
