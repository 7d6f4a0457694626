"""Runs a command and hands on what it prints, as it prints it."""

import fcntl
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import IO, cast

from agentruns.cleaning import OpenKey, SecretPatterns
from agentruns.commands.lines import NO_PATTERNS, LineBuffer, Lines, readable
from agentruns.commands.signals import GRACE_SECONDS, Signals
from agentruns.models import Level

OnLines = Callable[[Level, Lines], None]
#: The same before it is text: the level, the lines, whether the last one may go on.
HandOn = Callable[[Level, list[bytes], bool], None]

CHUNK = 1024 * 1024
#: A read below this is a trickle; a short rest then gathers single lines into batches.
TRICKLE = 64 * 1024
REST_SECONDS = 0.05
#: How long a background process may keep the output open after the command has ended.
LINGER_SECONDS = 1.0
#: A line that has not gone on for so long, such as a question, is shown before it ends.
PROMPT_SECONDS = 2.0
#: How often somebody looks whether the command has ended or has to.
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended; the code follows the shell's convention."""

    code: int
    """0 well, 126 not executable, 127 not found, 128 + n killed by signal n."""
    reason: str
    """In words, for people."""
    started: bool = True
    """False when it never ran: trying again would change nothing."""


def run_command(
    command: Sequence[str],
    on_lines: OnLines,
    environment: Mapping[str, str],
    signals: Signals | None = None,
    patterns: SecretPatterns = NO_PATTERNS,
) -> Exit:
    """Run a command to its end, without a shell and without input.

    It gets a process group of its own, to which `signals` passes on what it hears. Whatever ends
    this call early (a cancelled flow, an error in `on_lines`) ends the whole group first: SIGTERM,
    a moment to tidy up, SIGKILL. What matches `patterns` is a secret, too.
    """
    signals = signals or Signals()

    def hand_on(level: Level, lines: list[bytes], unfinished: bool) -> None:
        on_lines(level, readable(lines, patterns, unfinished=unfinished))

    try:
        process = _start(command, environment)
    except (OSError, ValueError) as error:
        return _not_started(command, error)
    with (
        process,
        signals.to(process.pid),
        closing(_Output(process, signals, hand_on)) as output,
    ):
        try:
            output.read()
        except BaseException:
            _stop(signals, output)
            raise
    return _exit_of(process.returncode)


@dataclass(slots=True)
class _Stream:
    """One of the two streams of a process."""

    level: Level
    buffer: LineBuffer
    heard_at: float
    key: OpenKey = field(default_factory=OpenKey)


class _Output:
    """The two streams of a process, read as they come."""

    def __init__(self, process: subprocess.Popen[bytes], signals: Signals, hand_on: HandOn) -> None:
        self._process = process
        self._on_bytes = hand_on
        self._signals = signals
        self._selector = selectors.DefaultSelector()
        for stream, level in ((process.stdout, Level.INFO), (process.stderr, Level.WARNING)):
            # Both are pipes, we asked for them.
            self._listen(cast("IO[bytes]", stream).fileno(), level)

    def _listen(self, descriptor: int, level: Level) -> None:
        os.set_blocking(descriptor, False)
        with suppress(OSError):  # a user may have used up the allowance for large pipes
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK)
        stream = _Stream(level, LineBuffer(), time.monotonic())
        self._selector.register(descriptor, selectors.EVENT_READ, stream)

    def read(self, deadline: float = float("inf")) -> None:
        """Hand on everything until the command has ended, or until the deadline."""
        while not self._is_over() and time.monotonic() < deadline:
            self._read_what_is_there()
            self._signals.enforce()
            if deadline == float("inf") and self._process.poll() is not None:
                deadline = time.monotonic() + self._wind_up()
        self._read_what_is_left()
        if self._signals.called_off:
            self._signals.send(signal.SIGKILL)

    def close(self) -> None:
        """Let go of the streams."""
        self._selector.close()

    def _is_over(self) -> bool:
        return not self._selector.get_map() and self._process.poll() is not None

    def _wind_up(self) -> float:
        """How long those whom the command has left behind may still say something."""
        if not self._signals.called_off:
            return LINGER_SECONDS
        self._signals.send(signal.SIGTERM)
        return GRACE_SECONDS

    def _read_what_is_there(self) -> None:
        if not self._selector.get_map():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_SECONDS)
            return
        ready = [key for key, _ in self._selector.select(timeout=LOOK_SECONDS)]
        self._show_prompts(besides=ready)
        if sum(self._read_some(key) for key in ready) < TRICKLE and ready:
            time.sleep(REST_SECONDS)

    def _read_some(self, key: selectors.SelectorKey) -> int:
        stream: _Stream = key.data
        stream.heard_at = time.monotonic()
        data = os.read(key.fd, CHUNK)
        if not data:
            self._selector.unregister(key.fd)
        self._hand_on(stream, stream.buffer.feed(data) if data else stream.buffer.flush())
        return len(data)

    def _show_prompts(self, besides: Sequence[selectors.SelectorKey]) -> None:
        """Show lines that do not go on: a person, or a page, waits for them."""
        for key in self._selector.get_map().values():
            stream: _Stream = key.data
            quiet = time.monotonic() - stream.heard_at > PROMPT_SECONDS
            if quiet and key not in besides:
                self._hand_on(stream, stream.buffer.flush(), unfinished=True)

    def _read_what_is_left(self) -> None:
        """Empty the pipes that a background process still holds, without waiting for it."""
        for key in list(self._selector.get_map().values()):
            stream: _Stream = key.data
            with suppress(BlockingIOError):
                self._hand_on(stream, stream.buffer.feed(os.read(key.fd, CHUNK)))
            self._hand_on(stream, stream.buffer.flush())

    def _hand_on(self, stream: _Stream, lines: list[bytes], *, unfinished: bool = False) -> None:
        if stream.key.is_open or any(b"PRIVATE KEY" in line for line in lines):
            shown = stream.key.hide([line.decode("latin-1") for line in lines])
            lines = [line.encode("latin-1") for line in shown]
        if lines:
            self._on_bytes(stream.level, lines, unfinished)


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


def _stop(signals: Signals, output: _Output) -> None:
    """End the whole group; what it says on leaving is still heard."""
    signals.give_up()
    signals.send(signal.SIGTERM)
    try:
        with suppress(Exception):  # the error that brought us here is the one to tell
            output.read(time.monotonic() + GRACE_SECONDS)
    finally:
        signals.send(signal.SIGKILL)
