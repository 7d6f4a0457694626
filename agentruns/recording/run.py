"""One run of an agent, from its beginning to its end."""

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import Token
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from agentruns.cleaning import Picture
from agentruns.models import AgentTask, AnyRecord, Level, LogEntry, Status
from agentruns.recording.arguments import as_ending
from agentruns.recording.assignment import Assignment
from agentruns.recording.ending import ending_of
from agentruns.recording.event_writer import EventWriter, RecorderContext
from agentruns.recording.nesting import CURRENT_TASK, RunTask
from agentruns.recording.origin import origin
from agentruns.recording.output import OutputCapture

log = logging.getLogger("agentruns")

#: Up to this many lines that came together become an entry each; a flood becomes one entry.
MOST_ENTRIES = 200


class Run(EventWriter):
    """A task while it is worked on; leaving its `with` block ends it.

    What is said after the end is kept all the same: it is late, not wrong.
    """

    def __init__(self, context: RecorderContext, task: RunTask, words: Assignment) -> None:
        super().__init__(context, task.task_id)
        self._run_task = task
        self._words = words
        self._started_at = self._clock.now()
        self._begun = self._ended = False
        self._process = os.getpid()
        self._turn = threading.RLock()
        self._token: Token[UUID | None] | None = None

    def begin(self) -> None:
        """Tell that the run goes on from now, unless it was told; whatever it says does this."""
        if self._begun or self._is_inherited():
            return
        with self._turn:
            if not self._begun:
                self._tell_beginning()
                self._begun = True

    def finish(
        self, status: Status | str = Status.COMPLETED, reason: str | None = None, **facts: Any
    ) -> None:
        """End the run: completed, failed, cancelled or interrupted. What came first counts.

        Args:
            status: How it ended.
            reason: Why, in words.
            facts: Whatever else is worth keeping of the end, as metadata of the task.
        """
        end = as_ending(status)
        if self._is_inherited():
            return  # the parent process tells the end
        with self._turn:
            if self._ended:
                return
            self.begin()
            self._tell_end(end, reason, facts)
            self._ended = True

    def cancel(self, reason: str) -> None:
        """End the run as called off; leaving its block later changes nothing."""
        self.finish(Status.CANCELLED, reason)

    def record(self, records: Sequence[AnyRecord]) -> None:
        """Keep ready-made records of this task, which are clean already, all in one commit."""
        self.begin()
        super().record(records)

    def capture_output(self) -> AbstractContextManager[None]:
        """Keep what is written to `sys.stdout` (info) and `sys.stderr` (warning) in the block."""
        return OutputCapture(self._printed)

    def __enter__(self) -> Self:
        self.begin()
        self._token = CURRENT_TASK.set(self.task_id)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token:
            # A generator or a task of asyncio may be closed from another context.
            with suppress(ValueError):
                CURRENT_TASK.reset(self._token)
        try:
            self._end_with(error)
        except Exception as failure:
            if error is None:
                raise
            # The agent's own exception is what its author has to see.
            log.warning("The end of the run %s could not be kept: %s", self.task_id, failure)

    def _end_with(self, error: BaseException | None) -> None:
        if self._ended:
            return
        ending = ending_of(error)
        try:
            if ending.error:
                self.log(ending.reason, Level.ERROR, exception=ending.error)
        finally:
            self.finish(ending.status, ending.reason)

    def _is_inherited(self) -> bool:
        return self._process != os.getpid()

    def _tell_beginning(self) -> None:
        if self._run_task.joins:
            # Whoever began the task tells how it goes; this is only in case nobody has heard of it.
            self._writer.append([self._task(Status.PENDING, None, self._words.metadata)])
        else:
            self._writer.open_run(self._task(Status.IN_PROGRESS, None, self._opening()))
        if self._words.pictures:
            self._writer.append(self._found(self._words.pictures, str(self.task_id)))

    def _opening(self) -> dict[str, Any]:
        parent = {"parent_task_id": str(self._run_task.parent)} if self._run_task.parent else {}
        recorder = {"recorder": origin(self._writer.session().name)}
        return self._words.metadata | parent | recorder

    def _tell_end(self, status: Status, reason: str | None, facts: dict[str, Any]) -> None:
        # Of a task that had a run before, None takes away why that one ended.
        has_reason = reason is not None or self._run_task.is_known
        told = facts | {"reason": reason} if has_reason else facts
        pictures: list[Picture] = []
        metadata = self._cleaner.object(told, pictures.append)
        found = self._found(pictures, str(self.task_id))
        if self._run_task.joins:
            self._writer.append([*found, *self._as_note(status, metadata)])
            return
        self._writer.append(found)
        self._writer.close_run(self._task(status, self._clock.now(), metadata))

    def _as_note(self, status: Status, metadata: dict[str, Any]) -> list[LogEntry]:
        if status is Status.COMPLETED and not metadata:
            return []
        return [
            LogEntry(
                agent_id=self.agent_id,
                task_id=self.task_id,
                message=f"a recorder that joined the task ended: {status}",
                data=metadata,
                created_at=self._clock.now(),
            )
        ]

    def _task(
        self, status: Status, finished_at: datetime | None, metadata: dict[str, Any]
    ) -> AgentTask:
        return AgentTask(
            id=self.task_id,
            agent_id=self.agent_id,
            title=self._words.title,
            description=self._words.description,
            status=status,
            status_at=finished_at or self._started_at,
            metadata=metadata,
            created_at=self._started_at,
            started_at=None if status is Status.PENDING else self._started_at,
            finished_at=finished_at,
        )

    def _printed(self, level: Level, stream: str, lines: str) -> None:
        """Keep lines that came together; secrets are looked for in all at once: keys span lines."""
        pictures: list[Picture] = []
        texts = self._cleaner.text(lines, pictures.append).split("\n")
        told: list[tuple[str, dict[str, Any]]] = [(text, {}) for text in texts]
        if len(texts) > MOST_ENTRIES:
            told = [(f"{len(texts)} lines of output", {"lines": texts})]
        entries = [
            LogEntry(
                agent_id=self.agent_id,
                task_id=self.task_id,
                level=level,
                message=text,
                data={"stream": stream, **data},
                created_at=self._clock.now(),
            )
            for text, data in told
        ]
        self.record([*self._found(pictures, str(entries[0].id)), *entries])
