"""Take a folder of old runs into the stores: list it, copy what is new, verify it."""

from collections import deque
from typing import Literal
from uuid import UUID

from prefect import flow
from prefect.futures import PrefectFuture

from flows.copy_batch import copy_claimed
from storage.arguments import checked_agent_id, checked_helpers, checked_timezone
from tasks.helpers import helped
from tasks.lanes import WORKERS, Lanes, checked_means, opened_lanes
from tasks.migration import (
    begin_copy,
    begin_verification,
    look_for_recordings,
    note_copy,
    note_verification,
    only_run,
    open_migration,
    plan_verification,
    report,
    supersede_tasks,
    take_inventory,
    verify_items,
)
from tasks.migration_claims import is_anything_postponed, is_anything_to_copy, leading
from tasks.migration_pages import leave_pages
from tasks.migration_report import MigrationResult

#: Batches that are handed over before the first of them is done.
MOST_WAITING = 64

Step = Literal["inventory", "copy", "verify"]


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
    fan_out: int = 0,
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
        workers: As many batches are copied or verified at a time, by each run.
        max_mb_per_s: As many megabytes a second go to the object store and back, by each run with
            all its batches; no limit when it is left out.
        fan_out: As many more runs help to copy, on the workers of the pool that see the source.
    """
    workers, limit = checked_means(workers, max_mb_per_s)
    fan_out = checked_helpers(fan_out)
    agent_id, listing = checked_agent_id(agent_id), "inventory" in steps
    timezone = timezone and checked_timezone(timezone)
    migration_id = open_migration(source, agent_id, timezone, format, listing=listing)
    with only_run(migration_id), opened_lanes(migration_id, workers, limit) as lanes:
        if listing:
            take_inventory(migration_id)
        if "copy" in steps:
            _copy(lanes, retry_quarantined, fan_out, verify="verify" in steps)
        if "verify" in steps:
            # What was verified right after its copy, now or earlier, is not read again.
            _verify(lanes, deep, only_new="copy" in steps)
    result = report(migration_id)
    leave_pages(result)
    return result


def _copy(lanes: Lanes, retry_quarantined: bool, fan_out: int, *, verify: bool) -> None:
    """Copy what is to be copied, and once more what changed meanwhile."""
    migration_id = lanes.migration_id
    look_for_recordings(migration_id)
    with leading(migration_id, lanes.worker):
        begin_copy(migration_id, retry_quarantined)
        _copy_with_help(lanes, fan_out, verify)
        if is_anything_postponed(migration_id, lanes.worker):
            take_inventory(migration_id)
            begin_copy(migration_id, False)
            copy_claimed(lanes, verify=verify)
    note_copy(migration_id)


def _copy_with_help(lanes: Lanes, fan_out: int, verify: bool) -> None:
    helping = fan_out if is_anything_to_copy(lanes.migration_id, lanes.worker) else 0
    with helped(lanes, helping, verify=verify) as helpers:
        copy_claimed(lanes, verify=verify, meanwhile=helpers.look)


def _verify(lanes: Lanes, deep: bool, *, only_new: bool) -> None:
    migration_id = lanes.migration_id
    begin_verification(migration_id, only_new=only_new, deep=deep)
    after: UUID | None = None
    waiting: deque[PrefectFuture[int]] = deque()
    while ids := plan_verification(migration_id, after, only_new=only_new, deep=deep):
        waiting.append(lanes.begin(verify_items, ids=ids, deep=deep))
        after = ids[-1]
        # A million items are not all handed over at once.
        if len(waiting) > MOST_WAITING:
            lanes.done(waiting.popleft())
    for future in waiting:
        lanes.done(future)
    note_verification(migration_id, deep, only_new=only_new)
    supersede_tasks(migration_id)
