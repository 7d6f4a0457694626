"""What one recorder process has written, as its delivery sees it."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from agentruns.models import AgentTask, Status, utcnow
from agentruns.spool.databases import explained
from agentruns.spool.disk import UNFINISHED, remove_folder, write_text
from agentruns.spool.lanes import Lane
from agentruns.spool.layout import LOCK, OPEN_RUNS, OVER
from agentruns.spool.ledger import Ledger
from agentruns.spool.locks import FileLock
from agentruns.spool.segment import Segment
from agentruns.spool.segment_writer import SegmentWriter

INTERRUPTED = "the process that recorded it ended without a word"


class SessionFolder:
    """The segments of one session, oldest first, and the runs that it has not ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._segments: dict[str, Segment] = {}
        self._turns = threading.Lock()
        # What can't change any more is not looked up again: thousands may lie here after a crash.
        self._is_one = self._is_over = self._has_all_segments = False

    def is_one(self) -> bool:
        """Whether this is the folder of a session at all."""
        self._is_one = self._is_one or (_is_uuid(self.name) and (self.path / LOCK).exists())
        return self._is_one

    def alive(self) -> bool:
        """Whether its recorder may still write."""
        return not self.over() and FileLock(self.path / LOCK).held()

    def over(self) -> bool:
        """Whether all is said, and every run of it has an end."""
        self._is_over = self._is_over or (self.path / OVER).exists()
        return self._is_over

    def open_tasks(self) -> list[AgentTask]:
        """The tasks of the runs that it has begun and not ended."""
        return [task for _, task in self._open()]

    def segments(self) -> list[Segment]:
        """The parts that are still here; asking again gives the same objects."""
        with self._turns:
            if not self._has_all_segments:
                is_over = self.over()  # asked first: nothing comes after that
                names = sorted(path.name for path in self.path.glob("[0-9]*") if path.is_dir())
                self._segments = {
                    name: self._segments.get(name) or Segment(self.path / name) for name in names
                }
                self._has_all_segments = is_over
            return list(self._segments.values())

    def settle(self) -> bool:
        """Once its recorder is gone, tell the end of its runs; says whether all is said.

        Killed in between, it is done again: the same words count once.

        Raises:
            SpoolError: when they can't be written now, as on a full disk.
        """
        if self.over():
            return True
        lock = FileLock(self.path / LOCK)
        if not lock.acquire():
            return False
        try:
            with explained(self.path.parents[1]):
                self._interrupt()
                write_text(self.path / OVER, "")
        finally:
            lock.release()
        return True

    def remove_delivered(self, ledger: Ledger) -> None:
        """Remove the segments of which all has arrived, and with the last one the session."""
        over = self.over()
        for segment in self.segments():
            if (over or segment.sealed()) and _is_delivered(segment, ledger):
                segment.remove()
                with self._turns:
                    self._segments.pop(segment.path.name, None)
        if over and not self.segments():
            remove_folder(self.path)
            ledger.forget(self.name)

    def _interrupt(self) -> None:
        if not (runs := list(self._open())):
            return
        last = self.segments()[-1:]
        ended = [_interrupted(task, last[0].written_at() if last else None) for _, task in runs]
        with SegmentWriter(self.path, _next_number(self.path)) as writer:
            writer.write_records(ended)
        for path, _ in runs:
            path.unlink(missing_ok=True)

    def _open(self) -> Iterator[tuple[Path, AgentTask]]:
        for path in sorted(self.path.glob(f"{OPEN_RUNS}/*.json")):
            if not path.name.startswith(UNFINISHED):
                try:
                    yield path, AgentTask.model_validate_json(path.read_text())
                except (OSError, ValidationError):
                    continue


def _interrupted(task: AgentTask, heard: datetime | None) -> AgentTask:
    # Not now: whoever took the task up since then began later than this, and goes on.
    soonest = task.status_at + timedelta(milliseconds=1)
    at = max(soonest, min(heard or soonest, utcnow()))
    return task.model_copy(
        update={
            "status": Status.INTERRUPTED,
            "status_at": at,
            "finished_at": at,
            "metadata": task.metadata | {"reason": INTERRUPTED},
        }
    )


def _is_delivered(segment: Segment, ledger: Ledger) -> bool:
    return all(ledger.position(segment.name, lane) >= segment.last(lane) for lane in Lane)


def _next_number(path: Path) -> int:
    return max((int(one.name) for one in path.glob("[0-9]*") if one.is_dir()), default=0) + 1


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
