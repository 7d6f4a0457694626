"""Ending what a kill left, and removing what comes in after its tombstone."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from agentruns.models import utcnow
from storage.deletion.deleting import Deleting
from storage.deletion.models import Deleted, Deletion
from storage.deletion.tombstones import NO_ID, Due
from storage.errors import DeletionRunning, StorageError

_PAGE = 100


class Finished(NamedTuple):
    """What came of the deletions that were gone through."""

    finished: int = 0
    """Deletions that a kill or an outage had left."""
    swept: int = 0
    """Finished ones that were searched for again."""
    running: int = 0
    """Somebody else is at work on them."""
    failed: dict[UUID, str] = {}  # noqa: RUF012 - never changed
    """Why others could not be ended; the next run tries again."""


class Finishing:
    """Goes through all deletions that have something to do; one that fails keeps back no other."""

    def __init__(self, deleting: Deleting) -> None:
        self._deleting = deleting

    def unfinished(self) -> Iterator[Deletion]:
        """Every deletion that was begun and not finished."""
        after = NO_ID
        while page := self._deleting.tombstones.to_finish(after, _PAGE):
            yield from page
            after = page[-1].id

    def due(self, until: datetime) -> Iterator[Deletion]:
        """Every finished deletion for which something may have come in late."""
        after: Due | None = None
        while page := self._deleting.tombstones.to_sweep(until, after, _PAGE):
            yield from (due.deletion for due in page)
            after = page[-1]

    def finish(self) -> Finished:
        """End what was left, then search for what came in late."""
        failed: dict[UUID, str] = {}
        finished, running = self._each(self.unfinished(), self._deleting.finish, failed)
        swept, busy = self._each(self.due(utcnow()), self._deleting.sweep, failed)
        return Finished(finished, swept, running + busy, failed)

    def _each(
        self,
        deletions: Iterator[Deletion],
        act: Callable[[UUID], Deleted],
        failed: dict[UUID, str],
    ) -> tuple[int, int]:
        done = running = 0
        for deletion in deletions:
            try:
                result = act(deletion.id)
            except DeletionRunning:
                running += 1
            except StorageError as error:
                failed[deletion.id] = str(error)
            else:
                done += result.verified
                if not result.verified:
                    failed[deletion.id] = f"Of {deletion.name} there is still {result.left}."
        return done, running
