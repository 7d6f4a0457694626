"""One attempt at a command: run, read, watched, kept."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentruns.cleaning import Cleaner
from agentruns.commands.command import Exit, run_command
from agentruns.commands.entries import OutputLog
from agentruns.commands.environment import child_environment
from agentruns.commands.lines import Lines
from agentruns.commands.plan import RunPlan
from agentruns.commands.signals import Signals
from agentruns.commands.waiting_writer import WaitingWriter
from agentruns.commands.watching import FolderWatch
from agentruns.models import Level

#: Takes lines that came together: `info` from stdout, `warning` from stderr; no secrets in them.
Listener = Callable[[Level, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended."""

    number: int
    ended: Exit


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What the attempts of one run share: where their records go, and who listens."""

    spool: Path
    writer: WaitingWriter
    cleaner: Cleaner
    signals: Signals
    listener: Listener


def record_attempt(plan: RunPlan, number: int, context: AttemptContext) -> Attempt:
    """Run the command once; what it prints and leaves is kept."""
    name = f"attempt {number} of {plan.attempts}"
    context.writer.write([plan.note(Level.INFO, f"{name} begins", attempt=number)])
    with _watched(plan, context):
        ended = _run(plan, number, context)
    level = Level.INFO if ended.code == 0 else Level.ERROR
    message = f"{name} ended: {ended.reason}"
    context.writer.write([plan.note(level, message, attempt=number, exit_code=ended.code)])
    return Attempt(number, ended)


def _run(plan: RunPlan, number: int, context: AttemptContext) -> Exit:
    log = OutputLog(plan.agent_id, plan.task_id, number)

    def take(level: Level, lines: Lines) -> None:
        context.listener(level, lines.texts)
        context.writer.write(log.entries(level, lines))

    environment = child_environment(os.environ, plan.agent_id, plan.task_id, context.spool)
    return run_command(plan.command, take, environment, context.signals, context.cleaner.patterns)


@contextmanager
def _watched(plan: RunPlan, context: AttemptContext) -> Iterator[None]:
    """Record what appears in the watched folders meanwhile, and the rest at the end."""
    watch = FolderWatch(
        plan.watch, plan.agent_id, plan.task_id, context.cleaner, besides=context.spool
    )
    ended = threading.Event()

    def follow() -> None:
        for found in watch.follow(ended):
            context.writer.write(found)

    following = threading.Thread(target=follow, name="folder-watch", daemon=True)
    following.start()
    try:
        yield
    finally:
        ended.set()
        following.join()
        context.writer.write(watch.rest())
