"""A command from its first attempt to its last, recorded as one task."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from agentruns.commands.attempt import Attempt, AttemptContext, Listener, record_attempt
from agentruns.commands.command import Exit
from agentruns.commands.plan import RunPlan
from agentruns.commands.signals import Signals
from agentruns.commands.waiting_writer import Notify, WaitingWriter
from agentruns.models import Level, Status
from agentruns.recording import Recorder

#: Runs an attempt; whoever wants to see each one of them hands one in.
AttemptRunner = Callable[[int, Callable[[], Attempt]], Attempt]


@dataclass(frozen=True, slots=True)
class Observer:
    """Who follows a run while it goes on."""

    listener: Listener = lambda _level, _lines: None
    """Sees what the command prints."""
    notify: Notify = lambda _message: None
    """Is told why the command has to wait, and when it goes on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run, all of it in the spool."""

    status: Status
    ended: Exit
    attempts: tuple[Attempt, ...]
    lost: int
    """Records for which the spool had no room until the run was called off."""


def directly(_number: int, attempt: Callable[[], Attempt]) -> Attempt:
    """Just make the attempt."""
    return attempt()


def record_command(
    plan: RunPlan,
    recorder: Recorder,
    signals: Signals,
    observer: Observer = Observer(),
    runner: AttemptRunner = directly,
) -> Outcome:
    """Run a command and keep all of it in the recorder's spool, stores or no stores.

    Args:
        plan: What to run, and for whom.
        recorder: Where it is kept; the caller closes it.
        signals: What calls the run off.
        observer: Who follows it.
        runner: What runs each attempt.

    Raises:
        SpoolError: when not even the beginning has room; nothing is started then.
    """
    run = recorder.start_run(
        plan.shown_title(),
        description=plan.description,
        metadata=plan.facts(),
        task_id=plan.task_id,
    )
    context = AttemptContext(
        recorder.spool.folder,
        WaitingWriter(run, signals, observer.notify),
        recorder.cleaner,
        signals,
        observer.listener,
    )
    with _ended_in_any_case(plan, context):
        attempts = tuple(_attempts(plan, context, runner))
        ended = attempts[-1].ended if attempts else _never_started(signals)
        status = _status(ended, signals)
        context.writer.finish(status, ended.reason, attempts=len(attempts), exit_code=ended.code)
    return Outcome(status, ended, attempts, context.writer.lost)


def _attempts(plan: RunPlan, context: AttemptContext, runner: AttemptRunner) -> Iterator[Attempt]:
    """Attempts until one ends well, trying again would change nothing, or nobody wants it."""
    for number in range(1, plan.attempts + 1):
        if context.signals.called_off:
            return
        made = runner(number, partial(record_attempt, plan, number, context))
        yield made
        if made.ended.code == 0 or not made.ended.started:
            return


def _status(ended: Exit, signals: Signals) -> Status:
    if signals.called_off:
        return Status.CANCELLED
    return Status.COMPLETED if ended.code == 0 else Status.FAILED


def _never_started(signals: Signals) -> Exit:
    number = signals.called_off or signal.SIGTERM
    return Exit(128 + number, f"called off by {number.name} before it began", started=False)


@contextmanager
def _ended_in_any_case(plan: RunPlan, context: AttemptContext) -> Iterator[None]:
    """Leave no task in progress: what calls a flow off cancels it, an error fails it."""
    try:
        yield
    except BaseException as error:
        context.signals.give_up()
        status = Status.FAILED if isinstance(error, Exception) else Status.CANCELLED
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        note = plan.note(Level.ERROR, f"the recording ended early: {reason}")
        context.writer.write([note])
        context.writer.finish(status, reason)
        raise
