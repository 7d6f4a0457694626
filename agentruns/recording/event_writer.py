"""Writes what happens in a task: logs, progress, memories, screenshots, files."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import Cleaner, Picture
from agentruns.models import AnyRecord, Level, LogEntry, Memory, ProgressUpdate, Upload
from agentruns.recording.arguments import (
    LONGEST_NAME,
    as_choice,
    as_content_type,
    as_mapping,
    as_name,
    as_percent,
    as_step,
)
from agentruns.recording.run_clock import RunClock
from agentruns.recording.spool_writer import SpoolWriter
from agentruns.recording.uploads import (
    Content,
    Owner,
    content_of,
    content_of_picture,
    upload,
    with_fault,
)

#: How often a file is read that changes meanwhile, and how long to wait in between.
READS = 5
PAUSE_SECONDS = 0.1


class RecorderContext(NamedTuple):
    """What the runs of one recorder share."""

    agent_id: str
    writer: SpoolWriter
    cleaner: Cleaner


class EventWriter:
    """Writes the events of one task. Each is on the disk when its call returns; use any thread."""

    def __init__(self, context: RecorderContext, task_id: UUID) -> None:
        self.task_id = task_id
        self.agent_id = context.agent_id
        self._writer = context.writer
        self._cleaner = context.cleaner
        self._clock = RunClock()

    def now(self) -> datetime:
        """The time inside the run, which never goes back."""
        return self._clock.now()

    def log(self, message: object, level: Level | str = "info", **data: Any) -> UUID:
        """Say something; `data` is kept as JSON. Gives the id of the log entry."""
        pictures: list[Picture] = []
        entry = LogEntry(
            agent_id=self.agent_id,
            task_id=self.task_id,
            level=as_choice("level", level, Level),
            message=self._cleaner.text(message, pictures.append),
            data=self._cleaner.object(data, pictures.append),
            created_at=self._clock.now(),
        )
        return self._add(entry, pictures)

    def progress(
        self,
        percent: float | None,
        message: object = "",
        *,
        step: int | None = None,
        data: Any = None,
    ) -> UUID:
        """Tell how far the task is, 0 to 100 percent or None. Gives the id of the update."""
        pictures: list[Picture] = []
        update = ProgressUpdate(
            agent_id=self.agent_id,
            task_id=self.task_id,
            step=as_step(step),
            progress_percent=as_percent(percent),
            message=self._cleaner.text(message, pictures.append),
            data=self._cleaner.object(as_mapping(data), pictures.append),
            timestamp=self._clock.now(),
        )
        return self._add(update, pictures)

    def remember(self, content: object, memory_type: str = "observation", **data: Any) -> UUID:
        """Keep something for later tasks. Gives the id of the memory."""
        pictures: list[Picture] = []
        memory = Memory(
            agent_id=self.agent_id,
            task_id=self.task_id,
            memory_type=self._cleaner.text(as_name("memory_type", memory_type))[:LONGEST_NAME],
            content=self._cleaner.text(content, pictures.append),
            data=self._cleaner.object(data, pictures.append),
            created_at=self._clock.now(),
        )
        return self._add(memory, pictures)

    def screenshot(
        self, content: bytes | str | Path, *, step: int | None = None, **metadata: Any
    ) -> UUID:
        """Keep a picture (bytes, or a path): PNG, JPEG, WebP or GIF. Gives the file's id.

        What turns out to be no whole picture is kept as a file, with the `fault` in its metadata.
        """
        number = {} if as_step(step) is None else {"step": step}
        return self._keep(lambda: with_fault(content_of(content)), {**metadata, **number})

    def file(
        self,
        content: bytes | str | Path,
        *,
        content_type: str | None = None,
        name: str | None = None,
        **metadata: Any,
    ) -> UUID:
        """Keep a file (bytes, or a path) as it is now. Gives the file's id."""
        told_type = None if content_type is None else as_content_type(content_type)
        told_name = None if name is None else as_name("name", name)
        return self._keep(lambda: content_of(content, told_name).called(told_type), metadata)

    def record(self, records: Sequence[AnyRecord]) -> None:
        """Keep ready-made records of this task, which are clean already, all in one commit."""
        self._writer.append(records)

    def _add(self, record: LogEntry | ProgressUpdate | Memory, pictures: list[Picture]) -> UUID:
        self.record([*self._found(pictures, str(record.id)), record] if pictures else [record])
        return record.id

    def _found(self, pictures: Sequence[Picture], where: str) -> list[AnyRecord]:
        """Pictures that were inside something else, each saying where."""
        return [
            self._upload(content_of_picture(picture), {"found_in": where}) for picture in pictures
        ]

    def _keep(self, read: Callable[[], Content], metadata: Mapping[str, Any]) -> UUID:
        for _ in range(READS - 1):
            content = read()
            try:
                return self._keep_now(content, metadata)
            except ValueError:
                if isinstance(content.content, bytes):
                    raise
                # A large file has changed between its digest and its copy.
                time.sleep(PAUSE_SECONDS)
        return self._keep_now(read(), metadata)

    def _keep_now(self, content: Content, metadata: Mapping[str, Any]) -> UUID:
        pictures: list[Picture] = []
        about = self._cleaner.object(metadata, pictures.append)
        new = self._upload(content, about)
        self.record([*self._found(pictures, str(new.file.id)), new])
        return new.file.id

    def _upload(self, content: Content, metadata: dict[str, Any]) -> Upload:
        owner = Owner(self.agent_id, self.task_id, self._clock.now())
        about = self._cleaner.object(content.facts) | metadata
        return upload(content, owner, about)
