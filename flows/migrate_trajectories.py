"""Take a folder of old runs into the stores: list it, copy what is new, verify it."""

from collections import deque
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID

from prefect import Task, flow
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from storage.arguments import checked_agent_id, checked_timezone, checked_workers
from storage.migration.copying import Copied
from storage.migration.models import START
from storage.pace import checked_mb_per_s
from tasks.migration import (
    begin_copy,
    begin_verification,
    copy_items,
    look_for_recordings,
    note_copy,
    note_verification,
    only_run,
    open_migration,
    plan_batches,
    plan_verification,
    report,
    supersede_tasks,
    take_inventory,
    verify_items,
)
from tasks.migration_pages import ShownProgress, leave_pages
from tasks.migration_report import MigrationResult

R = TypeVar("R")

#: Batches at a time; each of them puts eight objects at a time.
WORKERS = 2

#: Batches that are handed over before the first of them is done.
MOST_WAITING = 64

Step = Literal["inventory", "copy", "verify"]


class Lanes(NamedTuple):
    """Where batches are worked off, several at a time, and how quick they may be together."""

    runner: ThreadPoolTaskRunner[Any]
    max_mb_per_s: float | None
    progress: ShownProgress

    def begin(self, task: Task[..., R], **parameters: Any) -> PrefectFuture[R]:
        """Have a batch done as soon as a lane is free."""
        told = parameters | {"max_mb_per_s": self.max_mb_per_s}
        return self.runner.submit(task, told)

    def done(self, future: PrefectFuture[R]) -> R:
        """What came of a batch, once it is done."""
        found = future.result()
        self.progress.tell()
        return found


@flow(
    flow_run_name="migrate-{agent_id}",
    persist_result=False,
)
def migrate_trajectories(  # noqa: PLR0913 - the fields of the form in Prefect's UI
    source: str,
    agent_id: str,
    *,
    format: str | None = None,  # noqa: A002 - the word that users know
    timezone: str | None = None,
    retry_quarantined: bool = False,
    steps: tuple[Step, ...] = ("inventory", "copy", "verify"),
    deep: bool = False,
    workers: int = WORKERS,
    max_mb_per_s: float | None = None,
) -> MigrationResult:
    """Take a folder of old runs into the stores; only what is new, changed or failed before.

    It may be killed at any point: the next run goes on, and reads nothing again that is done.

    Args:
        source: A folder on the worker's machine, or s3://bucket/prefix.
        agent_id: Whose records they become.
        format: Only runs in this format; everything else is archived.
        timezone: Of times that were written down without one, such as Europe/Berlin; UTC, or what
            was said before, when it is left out.
        retry_quarantined: Try again what could not be imported before.
        steps: What to do; all of it by default.
        deep: Read every object back, with the step of copying only what was not read back since.
        workers: As many batches are copied or verified at a time.
        max_mb_per_s: As many megabytes a second go to the object store and back, by all of them
            together; no limit when it is left out.
    """
    workers = checked_workers(workers)
    limit = None if max_mb_per_s is None else checked_mb_per_s(max_mb_per_s)
    agent_id, listing = checked_agent_id(agent_id), "inventory" in steps
    timezone = timezone and checked_timezone(timezone)
    migration_id = open_migration(source, agent_id, timezone, format, listing=listing)
    with only_run(migration_id), ThreadPoolTaskRunner[Any](max_workers=workers) as runner:
        lanes = Lanes(runner, limit, ShownProgress(migration_id))
        if listing:
            take_inventory(migration_id)
        if "copy" in steps:
            _copy(migration_id, retry_quarantined, lanes, verify="verify" in steps)
        if "verify" in steps:
            # What was verified right after its copy, now or earlier, is not read again.
            _verify(migration_id, deep, lanes, only_new="copy" in steps)
        lanes.progress.end()
    result = report(migration_id)
    leave_pages(result)
    return result


def _copy(migration_id: UUID, retry_quarantined: bool, lanes: Lanes, *, verify: bool) -> None:
    """Copy what is to be copied, and once more what changed meanwhile."""
    look_for_recordings(migration_id)
    if _copy_pending(migration_id, retry_quarantined, lanes, verify).postponed:
        take_inventory(migration_id)
        _copy_pending(migration_id, False, lanes, verify)
    note_copy(migration_id)


def _copy_pending(
    migration_id: UUID, retry_quarantined: bool, lanes: Lanes, verify: bool
) -> Copied:
    begin_copy(migration_id, retry_quarantined)
    done, after = Copied(), START
    while True:
        plan = plan_batches(migration_id, after)
        if not plan.batches:
            return done
        futures = [
            lanes.begin(copy_items, migration_id=migration_id, ids=batch, verify=verify)
            for batch in plan.batches
        ]
        done = sum(map(lanes.done, futures), done)
        after = plan.last


def _verify(migration_id: UUID, deep: bool, lanes: Lanes, *, only_new: bool) -> None:
    begin_verification(migration_id, only_new=only_new, deep=deep)
    after: UUID | None = None
    waiting: deque[PrefectFuture[int]] = deque()
    while ids := plan_verification(migration_id, after, only_new=only_new, deep=deep):
        waiting.append(lanes.begin(verify_items, migration_id=migration_id, ids=ids, deep=deep))
        after = ids[-1]
        # A million items are not all handed over at once.
        if len(waiting) > MOST_WAITING:
            lanes.done(waiting.popleft())
    for future in waiting:
        lanes.done(future)
    note_verification(migration_id, deep, only_new=only_new)
    supersede_tasks(migration_id)
