"""Signals to whoever records a command, passed on to that command."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

#: These call the run off; SIGUSR1 and SIGUSR2 mean what the command makes of them.
CALLING_OFF = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
PASSED_ON = CALLING_OFF | {signal.SIGUSR1, signal.SIGUSR2}
#: How long a command may tidy up after SIGTERM before SIGKILL ends it.
GRACE_SECONDS = 5.0
#: How long room in a full spool is waited for once the run was called off: a person waits.
LAST_SECONDS = 10.0


class Signals:
    """Passes signals on to the process group of the command that runs now.

    A first Ctrl-C is only passed on: the command may end by itself. SIGTERM or a second Ctrl-C
    ends it: SIGTERM, a moment to tidy up, SIGKILL.
    """

    def __init__(self) -> None:
        self.called_off: signal.Signals | None = None
        """The signal with which the user called the run off."""
        self._called_at = float("inf")
        self._kill_at = float("inf")
        self._insisted = False
        self._group: int | None = None

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Listen to the signals that nobody else listens to or ignores; in the main thread only."""
        unheard = [number for number in PASSED_ON if _is_unheard(number)]
        before = {number: signal.signal(number, self._hear) for number in unheard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def to(self, group: int) -> Iterator[None]:
        """Pass on to this process group for as long as the block lasts."""
        self._group = group
        # It may have come just before the command was there.
        if self.called_off:
            self.send(self.called_off)
        try:
            yield
        finally:
            self._group = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command and all that it started in its group."""
        with suppress(ProcessLookupError, PermissionError):
            if self._group is not None:
                os.killpg(self._group, number)

    def call_off(self, number: signal.Signals) -> None:
        """Remember that the run is called off; the second time means at once."""
        if self.called_off:
            self._insisted = True
            return
        self.called_off, self._called_at = number, time.monotonic()

    def give_up(self) -> None:
        """Call the run off where nobody has: something else than a signal ends it."""
        if not self.called_off:
            self.call_off(signal.SIGTERM)

    def enforce(self) -> None:
        """End a command that was told to end and has not; to be called again and again."""
        if time.monotonic() > self._kill_at:
            self.send(signal.SIGKILL)

    def patience_is_over(self, since: float) -> bool:
        """Whether whoever waits since then (`time.monotonic()`) should give up."""
        return self._insisted or time.monotonic() > max(since, self._called_at) + LAST_SECONDS

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        heard = signal.Signals(number)
        again = self.called_off is not None
        if heard in CALLING_OFF:
            self.call_off(heard)
        if heard is signal.SIGTERM or (heard is signal.SIGINT and again):
            self._end()
        else:
            self.send(heard)

    def _end(self) -> None:
        self.send(signal.SIGTERM)
        self._kill_at = min(self._kill_at, time.monotonic() + GRACE_SECONDS)


def _is_unheard(number: signal.Signals) -> bool:
    if threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
