"""Group commit: threads that write at once share one commit."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from agentruns.spool.errors import SpoolError
from agentruns.spool.events import Row


@dataclass(slots=True)
class _Call:
    rows: list[Row]
    done: bool = False
    error: SpoolError | None = field(default=None)


class GroupCommit:
    """Whoever comes first writes for everybody who waits: the disk is asked once, not n times."""

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        """Share `write`, which keeps all rows or raises a SpoolError and keeps none."""
        self._write = write
        self._calls: deque[_Call] = deque()
        #: Held around every commit; hold it to keep others from writing.
        self.turn = threading.RLock()

    def __call__(self, rows: list[Row]) -> None:
        """Have the rows written, with those of other threads or alone.

        Raises:
            SpoolError: when they could not be; nothing of them is kept.
        """
        call = _Call(rows)
        self._calls.append(call)
        try:
            with self.turn:
                while not call.done:
                    self._serve()
        finally:
            # After Ctrl-C: whoever was told that it failed is not to find it there after all.
            call.done = True
        if call.error:
            raise call.error

    def _serve(self) -> None:
        # They stay in the queue until they are done: Ctrl-C stops one thread, and those that wait
        # are served by the next.
        calls = [call for call in tuple(self._calls) if not call.done]
        if not self._try(calls) and len(calls) > 1:
            # One that is too large must not cost the others.
            for call in calls:
                self._try([call])
        while self._calls and self._calls[0].done:
            self._calls.popleft()

    def _try(self, calls: list[_Call]) -> bool:
        error = None
        try:
            self._write([row for call in calls for row in call.rows])
        except SpoolError as refused:
            error = refused
        for call in calls:
            call.done, call.error = True, error
        return error is None
