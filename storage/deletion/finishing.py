"""Ending what a kill left, and removing what comes in after its tombstone."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from agentruns.models import utcnow
from storage.deletion.deleting import Deleting
from storage.deletion.models import Deleted, Deletion
from storage.deletion.tombstones import NO_ID, Due
from storage.errors import StorageError

#: So many are searched for at once.
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

    def unfinished(self) -> Iterator[list[Deletion]]:
        """Every deletion that was begun and not finished, page by page."""
        after = NO_ID
        while page := self._deleting.tombstones.to_finish(after, _PAGE):
            yield page
            after = page[-1].id

    def due(self, until: datetime) -> Iterator[list[Deletion]]:
        """Every finished deletion for which something may have come in late, page by page."""
        after: Due | None = None
        while page := self._deleting.tombstones.to_sweep(until, after, _PAGE):
            yield [due.deletion for due in page]
            after = page[-1]

    def finish(self) -> Finished:
        """End what was left, then search for what came in late."""
        failed: dict[UUID, str] = {}
        finished, running = self._each(self.unfinished(), self._finish, failed)
        swept, busy = self._each(self.due(utcnow()), self._deleting.sweep, failed)
        return Finished(finished, swept, running + busy, failed)

    def end(self) -> Finished:
        """End what was left, and search for nothing else."""
        failed: dict[UUID, str] = {}
        finished, running = self._each(self.unfinished(), self._finish, failed)
        return Finished(finished, 0, running, failed)

    def _finish(self, deletions: Sequence[Deletion]) -> list[Deleted]:
        return self._deleting.finish_some([one.id for one in deletions])

    def _each(
        self,
        pages: Iterator[list[Deletion]],
        act: Callable[[Sequence[Deletion]], list[Deleted]],
        failed: dict[UUID, str],
    ) -> tuple[int, int]:
        done = running = 0
        for page in pages:
            results = _together_or_alone(act, page, failed)
            for result in results:
                done += result.verified
                if not result.verified:
                    failed[result.deletion_id] = f"Of {result.name} there is still {result.left}."
            told = {result.deletion_id for result in results} | failed.keys()
            running += sum(one.id not in told for one in page)
        return done, running


def _together_or_alone(
    act: Callable[[Sequence[Deletion]], list[Deleted]],
    deletions: Sequence[Deletion],
    failed: dict[UUID, str],
) -> list[Deleted]:
    """What came of each; when one makes all of them fail, each is tried alone."""
    try:
        return act(deletions)
    except StorageError as error:
        if len(deletions) == 1:
            failed[deletions[0].id] = str(error)
            return []
    return [done for one in deletions for done in _together_or_alone(act, [one], failed)]
