"""Help a migration that another run holds: copy what it waits for, batch by batch."""

from collections import deque
from collections.abc import Callable
from uuid import UUID

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run

from storage.migration.copying import Copied
from storage.migration.models import START
from tasks.lanes import WORKERS, Lanes, checked_means, opened_lanes
from tasks.migration import copy_items
from tasks.migration_claims import check_that_source_is_here, claim_batches, helping


@flow(flow_run_name="copy-batch-{migration_id}", persist_result=False)
def copy_batch(
    migration_id: UUID,
    leader: UUID,
    *,
    verify: bool = True,
    workers: int = WORKERS,
    max_mb_per_s: float | None = None,
) -> Copied:
    """Copy items of a migration until none is left, or the run that is helped is over.

    'agentruns migrate run --fan-out N' starts it; a worker takes it that sees the source.

    Args:
        migration_id: Which migration.
        leader: Who holds it; without them there is nothing to do.
        verify: Compare at once what was copied.
        workers: As many batches are copied at a time.
        max_mb_per_s: As many megabytes a second go to the object store, by this run alone.
    """
    workers, limit = checked_means(workers, max_mb_per_s)
    check_that_source_is_here(migration_id)
    with (
        opened_lanes(migration_id, workers, limit) as lanes,
        helping(migration_id, lanes.worker, leader, _own_run()),
    ):
        return copy_claimed(lanes, verify=verify)


def copy_claimed(
    lanes: Lanes, *, verify: bool, meanwhile: Callable[[], None] = lambda: None
) -> Copied:
    """Copy as long as there are items that nobody else copies; others do so at the same time."""
    done, after, is_over = Copied(), START, False
    waiting: deque[PrefectFuture[Copied]] = deque()
    while not is_over:
        page = claim_batches(
            lanes.migration_id, lanes.worker, after, batches=2 * lanes.size, idle=not waiting
        )
        after, is_over = page.last, page.is_over
        for ids in page.batches:
            waiting.append(lanes.begin(copy_items, worker=lanes.worker, ids=ids, verify=verify))
        # Asked for the next ones before the last are done, no lane is ever idle.
        while len(waiting) > (lanes.size if page.batches else 0):
            done += lanes.done(waiting.popleft())
            meanwhile()
        meanwhile()
    return done


def _own_run() -> UUID | None:
    return UUID(flow_run.id) if flow_run.id else None
