"""Group commit: threads that write at once share one commit."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agentruns.spool.errors import SpoolError
from agentruns.spool.events import Row

#: A thread that nobody wakes looks by itself: Ctrl-C may end another one before it could.
PATIENCE_SECONDS = 0.05


@dataclass(slots=True)
class _Call:
    rows: list[Row]
    done: bool = False
    error: SpoolError | None = None
    woken: threading.Event | None = field(default=None)
    """There once the call has to wait for others."""

    def wake(self) -> None:
        if self.woken:
            self.woken.set()


class GroupCommit:
    """Whoever comes first writes for everybody who waits: the disk is asked once, not n times.

    Who was served goes on at once, while the next one is writing already.
    """

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        """Share `write`, which keeps all rows or raises a SpoolError and keeps none."""
        self._write = write
        self._calls: deque[_Call] = deque()
        self._turn = threading.RLock()

    def __call__(self, rows: list[Row]) -> None:
        """Have the rows written, with those of other threads or alone.

        Raises:
            SpoolError: when they could not be; nothing of them is kept.
        """
        call = _Call(rows)
        self._calls.append(call)
        try:
            while not call.done:
                self._serve_or_wait(call)
        finally:
            # After Ctrl-C: whoever was told that it failed is not to find it there after all.
            call.done = True
        if call.error:
            raise call.error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from writing inside the block."""
        try:
            with self._turn:
                yield
        finally:
            self._wake_next()

    def _serve_or_wait(self, call: _Call) -> None:
        if self._turn.acquire(blocking=False):
            try:
                if not call.done:
                    self._serve()
            finally:
                self._turn.release()
                self._wake_next()
        elif call.woken is None:
            # Another try before it waits: whoever has the turn may just not have seen this.
            call.woken = threading.Event()
        else:
            call.woken.wait(PATIENCE_SECONDS)
            call.woken.clear()

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
