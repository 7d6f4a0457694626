"""Group commit: threads that write at once share one commit."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from agentruns.spool.errors import SpoolError
from agentruns.spool.events import Row

#: A thread that nobody wakes looks by itself: Ctrl-C may end another one before it could.
PATIENCE_SECONDS = 0.05


class _Call:
    """One thread's rows, and how it is told what became of them."""

    __slots__ = ("_asleep", "done", "error", "rows")

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.done = False
        self.error: SpoolError | None = None
        # A bare lock: whoever wakes must not wait, whatever Ctrl-C did to the thread that sleeps.
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def is_woken(self) -> bool:
        """Sleep; whether somebody has woken this call in the meantime."""
        return self._asleep.acquire(timeout=PATIENCE_SECONDS)

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is awake
            self._asleep.release()


class GroupCommit:
    """Whoever comes first writes for everybody who waits: the disk is asked once, not n times.

    Who was served goes on at once, while the next one is writing already.
    """

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        """Share `write`, which keeps all rows or raises a SpoolError and keeps none."""
        self._write = write
        self._calls: deque[_Call] = deque()
        #: Held around every commit; hold it to keep others from writing.
        self.turn = threading.RLock()
        #: A hint, not a promise: whoever sleeps in vain takes its turn all the same.
        self._is_serving = False

    def __call__(self, rows: list[Row]) -> None:
        """Have the rows written, with those of other threads or alone.

        Raises:
            SpoolError: when they could not be; nothing of them is kept.
        """
        call = _Call(rows)
        self._calls.append(call)
        try:
            while not call.done:
                if not (self._is_serving and call.is_woken()):
                    self._lead(call)
        finally:
            # After Ctrl-C: whoever was told that it failed is not to find it there after all.
            call.done = True
        if call.error:
            raise call.error

    def _lead(self, call: _Call) -> None:
        # `with` and nothing else: between an `acquire` and its `try`, Ctrl-C would leave it taken.
        with self.turn:
            if not call.done:
                self._is_serving = True
                try:
                    self._serve()
                finally:
                    self._is_serving = False
        self._wake_next()

    def _wake_next(self) -> None:
        call = next((call for call in tuple(self._calls) if not call.done), None)
        if call:
            call.wake()

    def _serve(self) -> None:
        # They stay in the queue until they are done: Ctrl-C stops one thread, and those that wait
        # are served by the next.
        calls = [call for call in tuple(self._calls) if not call.done]
        if not self._try(calls) and len(calls) > 1:
            # One that is too large must not cost the others.
            for call in calls:
                self._try([call])
        for call in calls:
            call.done = True
            call.wake()
        while self._calls and self._calls[0].done:
            self._calls.popleft()

    def _try(self, calls: list[_Call]) -> bool:
        error = None
        try:
            self._write([row for call in calls for row in call.rows])
        except SpoolError as refused:
            error = refused
        for call in calls:
            call.error = error
        return error is None
