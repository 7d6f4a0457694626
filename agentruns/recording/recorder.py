"""What an agent keeps at hand to record its runs."""

import atexit
import logging
import os
import re
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from agentruns.cleaning import Cleaner
from agentruns.models import Status
from agentruns.recording.arguments import as_agent_id, as_limit, as_seconds
from agentruns.recording.assignment import assignment
from agentruns.recording.delivery_starter import DeliveryStarter
from agentruns.recording.event_writer import RecorderContext
from agentruns.recording.flushing import FlushResult, what_is_left
from agentruns.recording.nesting import task_of_run
from agentruns.recording.own_secrets import own_secrets
from agentruns.recording.run import Run
from agentruns.recording.spool_writer import SpoolWriter
from agentruns.spool import Spool, SpoolError

log = logging.getLogger("agentruns")

EXIT_SECONDS = 2.0


class Recorder:
    """Records the runs of one agent; needs no store. One a process is enough, for all threads."""

    def __init__(  # noqa: PLR0913 - options by name, each with its default
        self,
        agent_id: str | None = None,
        *,
        spool: Path | str | None = None,
        max_bytes: int | None = None,
        deliver: bool = True,
        exit_seconds: float | None = None,
        secrets: Iterable[str | re.Pattern[str]] = (),
    ) -> None:
        """Say who records; nothing is written before the first event.

        Args:
            agent_id: Whose runs, as AGENT_ID by default.
            spool: The folder that keeps the events until they are delivered; by default
                AGENTRUNS_SPOOL, else `spool` under AGENTRUNS_HOME.
            max_bytes: The most that the spool may hold: beyond it calls raise `SpoolFull`.
            deliver: Whether to start a delivery where none runs; without it, somebody else does.
            exit_seconds: How long to wait for the delivery at the end; AGENTRUNS_EXIT_SECONDS,
                else 2, by default.
            secrets: Regular expressions of what must not be kept, besides the usual secrets.

        Raises:
            ValueError: for an argument out of range.
        """
        self.agent_id = as_agent_id(agent_id if agent_id is not None else _agent_id_here())
        self.spool = Spool(spool)
        self.cleaner = Cleaner(own_secrets(secrets))
        self._exit_seconds = _exit_seconds(exit_seconds)
        self._writer = SpoolWriter(
            self.spool,
            DeliveryStarter(self.spool, wanted=deliver),
            max_bytes=as_limit(max_bytes),
            on_begin=self._close_at_exit,
        )
        self._runs: weakref.WeakSet[Run] = weakref.WeakSet()

    def run(
        self,
        title: str | None = None,
        *,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        task_id: UUID | str | None = None,
    ) -> Run:
        """A run for a `with` block: begins on entering, ends on leaving.

        Args:
            title: What is to be done, 1 to 500 characters.
            description: The same at length.
            metadata: Whatever the task should be found by.
            task_id: A task that is known already, to go on with it.

        Raises:
            ValueError: for an argument out of range.
        """
        words = assignment(self.cleaner, self.agent_id, title, description, metadata)
        context = RecorderContext(self.agent_id, self._writer, self.cleaner)
        run = Run(context, task_of_run(self.agent_id, task_id), words)
        self._runs.add(run)
        return run

    def start_run(
        self,
        title: str | None = None,
        *,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        task_id: UUID | str | None = None,
    ) -> Run:
        """A run that begins now and ends with its `finish()`; otherwise as `run`."""
        run = self.run(title, description=description, metadata=metadata, task_id=task_id)
        run.begin()
        return run

    def flush(self, timeout: float = 30.0) -> FlushResult:
        """Wait until all of it is in the stores, at most so many seconds, and say what is."""
        return self._writer.flush(as_seconds("timeout", timeout))

    def close(self, timeout: float | None = None) -> FlushResult:
        """Interrupt the runs that are open, wait a little, and say what is still in the spool.

        A recorder that is used again afterwards just goes on.
        """
        seconds = self._exit_seconds if timeout is None else as_seconds("timeout", timeout)
        for run in list(self._runs):
            with suppress(SpoolError):  # where there is no room for it, the delivery tells it
                run.finish(Status.INTERRUPTED, "its recorder was closed")
        result = self._writer.close(seconds)
        _OPEN.pop(id(self), None)
        if left := what_is_left(result, self.spool.folder):
            log.warning("%s", left)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_at_exit(self) -> None:
        _OPEN[id(self)] = self


#: Recorders with something in a spool, kept alive so that their last words are heard.
_OPEN: dict[int, Recorder] = {}


def _close_all() -> None:
    for recorder in list(_OPEN.values()):
        try:
            try:
                recorder.close()
            except KeyboardInterrupt:  # Ctrl-C ends the waiting only
                recorder.close(0)
        except SpoolError as error:
            log.warning("The recorder of %s could not be closed: %s", recorder.agent_id, error)


atexit.register(_close_all)


def _agent_id_here() -> str:
    if agent_id := os.environ.get("AGENT_ID"):
        return agent_id
    raise ValueError("agent_id must be given, or set as AGENT_ID in the environment")


def _exit_seconds(given: float | None) -> float:
    if given is not None:
        return as_seconds("exit_seconds", given)
    told = os.environ.get("AGENTRUNS_EXIT_SECONDS")
    try:
        return as_seconds("AGENTRUNS_EXIT_SECONDS", float(told)) if told else EXIT_SECONDS
    except ValueError:
        raise ValueError(
            f"AGENTRUNS_EXIT_SECONDS must be a number of seconds, 0 or more, not {told!r}"
        ) from None
