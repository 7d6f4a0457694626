"""Lanes at work, and when they are done."""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Self

from agentruns.spool import COUNTED, Lane, Ledger, Spool
from storage.delivery.cleanup import Cleanup
from storage.delivery.files import FilesDestination
from storage.delivery.lane import LaneWorker
from storage.delivery.logs import LogsDestination
from storage.delivery.result import DeliveryResult
from storage.delivery.rows import RowsDestination
from storage.delivery.state import DeliveryState
from storage.settings import Settings

_LOGGER = logging.getLogger(__name__)

_DESTINATIONS = (LogsDestination, RowsDestination, FilesDestination)
_CLEANUP_SECONDS = 1.0
#: Nobody waits for a store longer than this when no time is given.
_STUCK_SECONDS = 10.0
#: So long settings that are missing or refused may be put right while the delivery is at work.
_REFUSED_SECONDS = 60.0
#: Between two looks at whether all is done: long against the look itself.
_LOOK_SECONDS, _LOOK_SHARE = 0.05, 5
_MOST_LOOK_SECONDS = 0.5


class Supervisor:
    """Runs a thread for each lane; leaving the block ends them after the batch that they have."""

    def __init__(
        self, spool: Spool, ledger: Ledger, settings_of: Callable[[str], Settings]
    ) -> None:
        self._state = DeliveryState(spool, ledger, settings_of)
        self._cleanup = Cleanup(self._state)
        self._workers = [LaneWorker(self._state, kind(self._state)) for kind in _DESTINATIONS]
        self._cleaned_at = 0.0
        self._pending = 0
        self._gave_up = False

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._state.stopping.set()
        for worker in self._workers:
            worker.join()
        self._pending = sum(backlog.size() for backlog in self._state.backlogs.values())
        self._clean_up()

    def serve(self, stop: Event, *, forever: bool) -> None:
        """Deliver until it is stopped, or (not forever) until nobody has or brings anything.

        Not forever, it also ends where others may have the settings or the rights that it lacks.
        """
        self._until(lambda: not forever and (self._is_all_done() or self._gives_up()), stop)

    def drain(self, timeout: float | None) -> None:
        """Deliver what is there now; ends early when the time is over or nothing goes on."""
        self._clean_up()  # what is told of the dead is there now as well
        marks = {lane: self._state.backlogs[lane].marks() for lane in Lane}
        end = time.monotonic() + timeout if timeout is not None else None
        self._until(
            lambda: (
                self._has_reached(marks, hopeless=timeout is None)
                or (end is not None and time.monotonic() >= end)
            ),
            Event(),
        )

    def result(self) -> DeliveryResult:
        """What came of it, once it is over."""
        counts = {
            kind: sum(worker.counts.delivered[kind] for worker in self._workers) for kind in COUNTED
        }
        rejected = sum(worker.counts.rejected for worker in self._workers)
        return DeliveryResult(counts, self._pending, rejected, self._gave_up)

    def _until(self, is_over: Callable[[], bool], stop: Event) -> None:
        pause = 0.0
        while not stop.wait(pause):
            start = time.monotonic()
            if is_over():
                break
            if start > self._cleaned_at + _CLEANUP_SECONDS:
                self._clean_up()
            took = time.monotonic() - start
            pause = min(max(_LOOK_SECONDS, took * _LOOK_SHARE), _MOST_LOOK_SECONDS)

    def _clean_up(self) -> None:
        self._cleanup.run()
        self._cleaned_at = time.monotonic()

    def _has_reached(self, marks: dict[Lane, dict[str, int]], *, hopeless: bool) -> bool:
        return all(
            self._state.watermarks.wait_for(lane, marks[lane], 0)
            or (hopeless and self._is_hopeless(lane, marks[lane]))
            for lane in Lane
        )

    def _is_hopeless(self, lane: Lane, marks: dict[str, int]) -> bool:
        """Whether a lane stands still, or has nothing left but what is refused."""
        if self._state.stuck_seconds(lane) > _STUCK_SECONDS:
            return True
        refused = self._state.holds[lane].refused(seconds=_STUCK_SECONDS)
        rest = {segment: last for segment, last in marks.items() if segment not in refused}
        return bool(refused) and self._state.watermarks.wait_for(lane, rest, 0)

    def _is_all_done(self) -> bool:
        return not any(self._state.waiting()) and is_deserted(self._state.spool)

    def _gives_up(self) -> bool:
        """Whether nothing that waits can arrive before a person changes something."""
        if not any(map(self._is_refused, Lane)):
            return False  # the usual case, without a look at the disk
        waiting = set(self._state.waiting())
        self._gave_up = bool(waiting) and all(map(self._is_refused, waiting))
        if self._gave_up:
            _LOGGER.warning(
                "Settings or rights are wrong for all that waits: the delivery makes room for "
                "another one. Correct them, or run 'agentruns deliver' where they are right."
            )
        return self._gave_up

    def _is_refused(self, lane: Lane) -> bool:
        return self._state.refused_seconds(lane) > _REFUSED_SECONDS


def is_deserted(spool: Spool) -> bool:
    """Whether nobody lives in the spool, and every run of the dead has its end."""
    return all(session.over() for session in spool.sessions())
