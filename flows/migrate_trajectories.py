"""Take a folder of old runs into the stores: list it, copy what is new, verify it."""

from typing import Literal
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from storage.arguments import checked_agent_id, checked_timezone
from storage.migration.copying import Copied
from storage.migration.models import START
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
from tasks.migration_report import MigrationResult, as_markdown

#: Batches at a time; each of them puts eight objects at a time.
CONCURRENCY = 2

Step = Literal["inventory", "copy", "verify"]


@flow(
    flow_run_name="migrate-{agent_id}",
    persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=CONCURRENCY),  # type: ignore[arg-type]  # of any result
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
        deep: Verify by reading every object back.
    """
    agent_id, listing = checked_agent_id(agent_id), "inventory" in steps
    timezone = timezone and checked_timezone(timezone)
    migration_id = open_migration(source, agent_id, timezone, format, listing=listing)
    with only_run(migration_id):
        if listing:
            take_inventory(migration_id)
        if "copy" in steps:
            _copy(migration_id, retry_quarantined, verify="verify" in steps)
        if "verify" in steps:
            # What was verified right after its copy, now or earlier, is not read again.
            _verify(migration_id, deep, only_new="copy" in steps)
    result = report(migration_id)
    _tell(result)
    return result


def _copy(migration_id: UUID, retry_quarantined: bool, *, verify: bool) -> None:
    """Copy what is to be copied, and once more what changed meanwhile."""
    look_for_recordings(migration_id)
    if _copy_pending(migration_id, retry_quarantined, verify).postponed:
        take_inventory(migration_id)
        _copy_pending(migration_id, False, verify)
    note_copy(migration_id)


def _copy_pending(migration_id: UUID, retry_quarantined: bool, verify: bool) -> Copied:
    begin_copy(migration_id, retry_quarantined)
    done, after = Copied(), START
    while True:
        plan = plan_batches(migration_id, after)
        if not plan.batches:
            return done
        futures = [copy_items.submit(migration_id, batch, verify) for batch in plan.batches]
        done = sum((future.result() for future in futures), done)
        after = plan.last


def _verify(migration_id: UUID, deep: bool, *, only_new: bool) -> None:
    begin_verification(migration_id, only_new=only_new, deep=deep)
    after: UUID | None = None
    while ids := plan_verification(migration_id, after, only_new=only_new, deep=deep):
        verify_items(migration_id, ids, deep)
        after = ids[-1]
    note_verification(migration_id, deep)
    supersede_tasks(migration_id)


def _tell(result: MigrationResult) -> None:
    create_markdown_artifact(
        key="migration",
        description=f"{result.items['imported']} of {result.items['total']} items imported",
        markdown=as_markdown(result),
    )
