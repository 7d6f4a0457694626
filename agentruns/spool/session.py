"""The way of one process into a spool."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from agentruns.models import AgentTask, AnyRecord, Upload, new_id
from agentruns.spool.databases import explained, is_damage
from agentruns.spool.disk import UNFINISHED, make_folder, sync_folder, write_text
from agentruns.spool.errors import SpoolFull
from agentruns.spool.events import Row, as_row
from agentruns.spool.group_commit import GroupCommit
from agentruns.spool.layout import LOCK, OPEN_RUNS, OVER
from agentruns.spool.locks import FileLock
from agentruns.spool.quota import RESERVE_BYTES, Quota
from agentruns.spool.segment_writer import SegmentWriter
from agentruns.spool.spool import Spool

#: A segment goes as a whole, so a smaller one frees room earlier.
SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_EVENTS = 200_000
#: What belongs to a forked child's parent; closing it here would disturb the parent's files.
_ABANDONED: list[object] = []


class Session:
    """Appends records to a spool; what a call was given is on the disk when it returns.

    Safe for several threads. Nobody else writes into a session's folder.
    """

    def __init__(self, spool: Spool, *, max_bytes: int | None = None) -> None:
        """Begin a session.

        Args:
            spool: Where.
            max_bytes: What the whole spool may have, at least 1 MiB; None for no limit.

        Raises:
            SpoolError: when the spool can't be written.
        """
        self._spool = spool
        self._quota = Quota(spool, max_bytes)
        self._segment_bytes = self._quota.segment_bytes(SEGMENT_BYTES)
        self.name = str(new_id())
        self.path = spool.sessions_folder / self.name
        self.appended = 0
        self._sequences: Counter[UUID] = Counter()
        self._uploading = 0
        self._commit = GroupCommit(self._write)
        spool.prepare()
        self._quota.claim_disk(RESERVE_BYTES, spool.folder)
        with explained(spool.folder):
            self._lock = self._enter()
            self._segment = SegmentWriter(self.path, 1)

    def append(self, records: Sequence[AnyRecord]) -> None:
        """Have the records on the disk, in this order; all of them, or none.

        Raises:
            ValueError: when a file changed since its digest was taken.
            SpoolFull: when the spool has reached its limit, or (DiskFull) the disk is full.
            SpoolUnusable: when it can't be written for another reason.
        """
        if not records:
            return
        rows = [as_row(record) for record in records]
        if uploads := [record for record in records if isinstance(record, Upload)]:
            with self._objects_of(uploads):
                self._commit(rows)
        else:
            self._commit(rows)

    def open_run(self, task: AgentTask) -> None:
        """Append the beginning of a run that this session is to end."""
        note = self._note(task)
        with explained(self._spool.folder):
            # First: a run without a note would stay open for ever.
            make_folder(note.parent)
            write_text(note, task.model_dump_json())
        try:
            self.append([task])
        except BaseException:
            note.unlink(missing_ok=True)
            raise

    def close_run(self, task: AgentTask) -> None:
        """Append the end of a run."""
        self.append([task])
        self._note(task).unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Whether nobody has removed it or moved it away."""
        return self.path.exists()

    def close(self) -> None:
        """Say that nothing more comes; runs that are open are ended by the delivery."""
        with self._commit.turn, explained(self._spool.folder):
            self._segment.close()
            if not any(self.path.glob(f"{OPEN_RUNS}/*.json")):
                with suppress(OSError):  # a full disk: the delivery finds the lock free
                    write_text(self.path / OVER, "")
        self._lock.release()

    def abandon(self) -> None:
        """Forget everything in a forked child; the parent goes on."""
        _ABANDONED.append(self._segment)
        self._lock.let_go()

    def _enter(self) -> FileLock:
        """Take a folder of our own; nobody sees it without its lock."""
        new = self.path.with_name(f"{UNFINISHED}new-{self.name}")
        make_folder(new)
        lock = FileLock(new / LOCK)
        lock.acquire()
        new.rename(self.path)
        sync_folder(self.path.parent)
        return lock

    def _note(self, task: AgentTask) -> Path:
        return self.path / OPEN_RUNS / f"{task.id}.json"

    @contextmanager
    def _objects_of(self, uploads: Sequence[Upload]) -> Iterator[None]:
        """Have the objects on the disk; meanwhile the segment they lie in stays the present one."""
        with self._commit.turn:
            self._make_room(sum(upload.file.size_bytes for upload in uploads))
            self._uploading += 1
        try:
            with explained(self._spool.folder):
                for upload in uploads:
                    self._segment.keep(upload)
            yield
        finally:
            with self._commit.turn:
                self._uploading -= 1

    def _write(self, rows: list[Row]) -> None:
        """Write for everybody who waits; runs in the turn of one."""
        self._make_room(sum(len(row.payload) for row in rows))
        numbered = [(row, self._number(row)) for row in rows]
        try:
            with explained(self._spool.folder):
                self._write_somewhere(numbered)
        except BaseException:
            self._take_back(rows)
            raise
        self.appended += len(rows)

    def _number(self, row: Row) -> int | None:
        if row.task_id is None:
            return None
        self._sequences[row.task_id] += 1
        return self._sequences[row.task_id]

    def _take_back(self, rows: list[Row]) -> None:
        """Leave no gap where nothing was written."""
        self._sequences.subtract(row.task_id for row in rows if row.task_id)

    def _write_somewhere(self, numbered: list[tuple[Row, int | None]]) -> None:
        try:
            self._segment.write(numbered)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._begin_segment()
            self._segment.write(numbered)

    def _make_room(self, wanted: int) -> None:
        try:
            self._quota.claim(wanted, self._segment)
        except SpoolFull:
            # Once it is sealed and delivered it can go.
            self._rotate()
            raise
        if self._segment.events >= SEGMENT_EVENTS or self._is_large():
            self._rotate()

    def _is_large(self) -> bool:
        # Three calls into the file system, so not at every event.
        return self._segment.events % 64 == 0 and self._segment.size() >= self._segment_bytes

    def _rotate(self) -> None:
        if self._segment.events and not self._uploading:
            with suppress(OSError, sqlite3.Error):  # a full disk: the present one has to do
                self._begin_segment()

    def _begin_segment(self) -> None:
        old, self._segment = self._segment, SegmentWriter(self.path, self._segment.number + 1)
        old.close()
        with suppress(OSError):
            old.seal()
