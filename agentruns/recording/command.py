"""Runs a command and hands on what it prints, as it prints it."""

import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, cast

from agentruns.models import Level
from agentruns.recording.lines import LineBuffer, Lines, readable

OnLines = Callable[[Level, Lines], None]

CHUNK = 1024 * 1024
#: A read below this is a trickle; a short rest then gathers single lines into batches.
TRICKLE = 64 * 1024
REST_SECONDS = 0.05
#: How long a background process may keep the output open after the command has ended.
LINGER_SECONDS = 1.0
#: How long a command may tidy up after SIGTERM before SIGKILL ends it.
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended; the code follows the shell's convention."""

    code: int
    """0 well, 126 not executable, 127 not found, 128 + n killed by signal n."""
    reason: str
    """In words, for people."""
    started: bool = True
    """False when it never ran: trying again would change nothing."""


def run_command(command: Sequence[str], on_lines: OnLines, environment: Mapping[str, str]) -> Exit:
    """Run a command to its end, without a shell and without input.

    It gets a process group of its own. Whatever ends this call early (Ctrl-C, a cancelled flow,
    an error in `on_lines`) ends the whole group first: SIGTERM, a moment to tidy up, SIGKILL.
    """
    with _signals_as_interrupts():
        try:
            process = _start(command, environment)
        except (OSError, ValueError) as error:
            return _not_started(command, error)
        with process, closing(_Output(process, on_lines)) as output:
            try:
                output.read()
            except BaseException:
                _stop(process, output)
                raise
        return _exit_of(process.returncode)


class _Output:
    """The two streams of a process, read as they come."""

    def __init__(self, process: subprocess.Popen[bytes], on_lines: OnLines) -> None:
        self._process = process
        self._on_lines = on_lines
        self._selector = selectors.DefaultSelector()
        for stream, level in ((process.stdout, Level.INFO), (process.stderr, Level.WARNING)):
            # Both are pipes, we asked for them.
            self._listen(cast("IO[bytes]", stream).fileno(), level)

    def _listen(self, descriptor: int, level: Level) -> None:
        os.set_blocking(descriptor, False)
        with suppress(OSError):  # a user may have used up the allowance for large pipes
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK)
        self._selector.register(descriptor, selectors.EVENT_READ, (level, LineBuffer()))

    def read(self, deadline: float = float("inf")) -> None:
        """Hand on everything until the command has ended, or until the deadline."""
        while self._selector.get_map() and time.monotonic() < deadline:
            ready = self._selector.select(timeout=0.2)
            if sum(self._read_some(key) for key, _ in ready) < TRICKLE and ready:
                time.sleep(REST_SECONDS)
            if deadline == float("inf") and self._process.poll() is not None:
                deadline = time.monotonic() + LINGER_SECONDS
        self._read_what_is_left()
        self._process.wait(None if deadline == float("inf") else deadline - time.monotonic())

    def close(self) -> None:
        """Let go of the streams."""
        self._selector.close()

    def _read_some(self, key: selectors.SelectorKey) -> int:
        level, buffer = key.data
        data = os.read(key.fd, CHUNK)
        if not data:
            self._selector.unregister(key.fd)
        self._hand_on(level, buffer.feed(data) if data else buffer.flush())
        return len(data)

    def _read_what_is_left(self) -> None:
        """Empty the pipes that a background process still holds, without waiting for it."""
        for key in list(self._selector.get_map().values()):
            level, buffer = key.data
            with suppress(BlockingIOError):
                self._hand_on(level, buffer.feed(os.read(key.fd, CHUNK)))
            self._hand_on(level, buffer.flush())

    def _hand_on(self, level: Level, lines: list[bytes]) -> None:
        if lines:
            self._on_lines(level, readable(lines))


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - running the user's command is the purpose
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        # Its own group, so that Ctrl-C reaches us first and we can end all of it.
        start_new_session=True,
    )


def _not_started(command: Sequence[str], error: Exception) -> Exit:
    name = command[0] if command else ""
    if isinstance(error, FileNotFoundError):
        return Exit(127, f"the command {name!r} does not exist: check its spelling", started=False)
    if isinstance(error, PermissionError):
        return Exit(126, f"the command {name!r} is not executable: chmod +x it", started=False)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Exit(126, f"the command {name!r} could not be started: {reason}", started=False)


def _exit_of(returncode: int) -> Exit:
    if returncode >= 0:
        return Exit(returncode, f"exit code {returncode}")
    with suppress(ValueError):
        return Exit(128 - returncode, f"killed by {signal.Signals(-returncode).name}")
    return Exit(128 - returncode, f"killed by signal {-returncode}")


def _stop(process: subprocess.Popen[bytes], output: _Output) -> None:
    """End the whole group; what it says on leaving is still heard."""
    _signal_group(process, signal.SIGTERM)
    try:
        with suppress(Exception):  # the error that brought us here is the one to tell
            output.read(time.monotonic() + GRACE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Where nobody else listens, SIGTERM and SIGHUP count as Ctrl-C, so that nothing is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    unheard = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in unheard:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in unheard:
            signal.signal(number, signal.SIG_DFL)
