"""Writes records into the spool, and waits while it has no room."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from agentruns.commands.signals import Signals
from agentruns.models import AnyRecord, Level, LogEntry, Status, Upload
from agentruns.recording import Run
from agentruns.spool import SpoolError

#: Records of one commit.
BATCH_RECORDS = 200
BATCH_BYTES = 4 * 1024 * 1024
#: How often a full spool is asked again.
PAUSE_SECONDS = 0.5

#: Tells the person who started the recording.
Notify = Callable[[str], None]


class WaitingWriter:
    """Writes records of one run into the spool; where there is no room, the call waits.

    So the pipes of the command fill, and it waits as well: nothing is lost and nothing is killed.
    Only when the run was called off has the waiting an end, and `lost` counts what had no room.
    """

    def __init__(self, run: Run, signals: Signals, notify: Notify) -> None:
        self.lost = 0
        """Records for which there was no room until the end."""
        self._run = run
        self._signals = signals
        self._notify = notify
        self._waiting = self._given_up = False

    def write(self, records: Iterable[AnyRecord]) -> None:
        """Have the records in the spool when this returns."""
        for batch in _batches(records):
            self._write(batch)

    def finish(self, status: Status, reason: str, **facts: object) -> None:
        """End the run."""
        self._patiently(lambda: self._run.finish(status, reason, **facts))

    def _write(self, batch: Sequence[AnyRecord]) -> None:
        try:
            self._run.record(batch)
        except (SpoolError, ValueError) as error:
            if len(batch) > 1:
                # A part may have room, and one bad file keeps nothing else out.
                self._write(batch[: len(batch) // 2])
                self._write(batch[len(batch) // 2 :])
            elif isinstance(error, SpoolError):
                self._patiently(lambda: self._run.record(batch))
            else:
                self._write([_changed_file(batch[0], error)])

    def _patiently(self, act: Callable[[], None]) -> None:
        since = time.monotonic()
        while True:
            try:
                act()
            except SpoolError as error:
                # Who gave up once only tries what comes after.
                self._given_up = self._given_up or self._signals.patience_is_over(since)
                if self._given_up:
                    self.lost += 1
                    return
                self._wait(error)
            else:
                self._go_on()
                return

    def _wait(self, error: SpoolError) -> None:
        if not self._waiting:
            self._waiting = True
            self._notify(
                f"{str(error).rstrip('.')}. The command waits, and nothing is lost; "
                "it goes on by itself once this is mended."
            )
        time.sleep(PAUSE_SECONDS)
        self._signals.enforce()

    def _go_on(self) -> None:
        if self._waiting:
            self._waiting = False
            self._notify("The spool takes records again, and the command goes on.")


def _batches(records: Iterable[AnyRecord]) -> Iterator[list[AnyRecord]]:
    batch: list[AnyRecord] = []
    weight = 0
    for record in records:
        batch.append(record)
        weight += _weight(record)
        if len(batch) == BATCH_RECORDS or weight > BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _weight(record: AnyRecord) -> int:
    """About how much memory the record holds, where that is much."""
    if not isinstance(record, Upload) or not isinstance(record.content, bytes):
        return 0
    return len(record.content)


def _changed_file(record: AnyRecord, error: Exception) -> LogEntry:
    """What is told instead of a file that changed or went while it was being copied.

    Raises:
        Exception: the error itself, where it is about anything else than a file.
    """
    if not isinstance(record, Upload):
        raise error
    name = record.file.metadata.get("name", record.file.object_path)
    return LogEntry(
        agent_id=record.file.agent_id,
        task_id=record.file.task_id,
        level=Level.WARNING,
        message=f"{name} was not recorded: it changed while it was being read",
        data={"path": name},
    )
