"""One attempt at a command: run, read, watched, delivered."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agentruns.models import Level
from agentruns.recording.command import Exit, run_command
from agentruns.recording.echo import echo
from agentruns.recording.entries import OutputLog
from agentruns.recording.environment import child_environment
from agentruns.recording.lines import Lines
from agentruns.recording.plan import RunPlan
from agentruns.recording.sink import Delivery, Sink
from agentruns.recording.watching import FolderWatch

#: How often the watched folders are looked through while the command runs.
LOOK_SECONDS = 1.0
#: How long the stores may take to come back once the command has ended.
PATIENCE_SECONDS = 60.0
#: The same after Ctrl-C: a person, or a supervisor with SIGKILL, waits.
INTERRUPTED_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended, and what became of its records."""

    number: int
    ended: Exit
    delivery: Delivery


def record_attempt(plan: RunPlan, number: int, sink: Sink) -> Attempt:
    """Run the command once; what it prints and leaves goes into the sink, which is closed."""
    patience = INTERRUPTED_PATIENCE_SECONDS
    try:
        ended = _run(plan, number, sink)
        patience = PATIENCE_SECONDS
    finally:
        delivery = sink.close(patience)
    return Attempt(number, ended, delivery)


def _run(plan: RunPlan, number: int, sink: Sink) -> Exit:
    log = OutputLog(plan.agent_id, plan.task_id, number)
    name = f"attempt {number} of {plan.attempts}"
    sink.put([plan.note(Level.INFO, f"{name} begins", attempt=number)])
    with _watched(plan, sink):

        def take(level: Level, lines: Lines) -> None:
            echo(level, lines.texts)
            sink.put(log.entries(level, lines))

        ended = run_command(
            plan.command,
            take,
            child_environment(os.environ, plan.agent_id, plan.task_id),
        )
    level = Level.INFO if ended.code == 0 else Level.ERROR
    message = f"{name} ended: {ended.reason}"
    sink.put([plan.note(level, message, attempt=number, exit_code=ended.code)])
    return ended


@contextmanager
def _watched(plan: RunPlan, sink: Sink) -> Iterator[None]:
    """Record what appears in the watched folders meanwhile, and the rest at the end."""
    watch = FolderWatch(plan.watch, plan.agent_id, plan.task_id)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            sink.put(watch.take())

    looking = threading.Thread(target=look, name="folder-watch", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()
        sink.put(watch.take(final=True))
