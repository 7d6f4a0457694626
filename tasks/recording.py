"""The steps of recording a run: each opens, writes or closes one task in the stores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from agentruns.models import MAY_FOLLOW, Level, Status
from agentruns.recording.attempt import (
    INTERRUPTED_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    Attempt,
    record_attempt,
)
from agentruns.recording.plan import RunPlan
from agentruns.recording.run_record import final_status
from agentruns.recording.sink import Delivery, Sink
from storage.errors import RecordNotFound, RecordRejected, StorageError, StoreUnavailable
from storage.postgres import PostgresAdapter
from storage.stores import shared_stores
from tasks.retries import single_task, store_task


@store_task
def open_task(plan: RunPlan) -> RunPlan:
    """Make the task known as in progress, once every store is there; nothing is started before.

    Returns:
        The plan, with what is known already of a task that somebody else made.

    Raises:
        AccessDenied: when a store refuses our credentials.
        RecordRejected: when the task cannot be recorded into.
        StoreUnavailable: when a store is away.
    """
    stores = shared_stores()
    stores.mongo.count_logs(plan.agent_id, [plan.task_id])
    stores.minio.ping()
    plan = _continued(plan, stores.postgres)
    written = stores.writer.write([plan.task(Status.IN_PROGRESS, {})])
    if written.rejected:
        raise RecordRejected(f"The run can't be recorded: {written.rejected[0].reason}")
    return plan


def _continued(plan: RunPlan, postgres: PostgresAdapter) -> RunPlan:
    try:
        known = postgres.get_task(plan.task_id)
    except RecordNotFound:
        return plan
    running = Status.IN_PROGRESS
    if known.agent_id != plan.agent_id or running not in {known.status, *MAY_FOLLOW[known.status]}:
        raise RecordRejected(
            f"The task {plan.task_id} of {known.agent_id} is {known.status}, so {plan.agent_id} "
            "can't record into it; leave the task id out to record a new task."
        )
    return plan.continuing(known)


# Trying again is the plan's business: a second start of a command is not a repeated write.
@task(cache_policy=NO_CACHE, persist_result=False, retries=0, task_run_name="attempt {number}")
def run_attempt(plan: RunPlan, number: int) -> Attempt:
    """Run the command once and record what it prints and leaves."""
    attempt = record_attempt(plan, number, _sink())
    _tell(attempt.delivery)
    return attempt


@single_task
def close_task(plan: RunPlan, attempts: Sequence[Attempt]) -> Delivery:
    """Write how it ended, with the patience of an attempt; a store away is told, not raised."""
    ended = attempts[-1].ended
    facts = {"attempts": len(attempts), "exit_code": ended.code, "ended": ended.reason}
    sink = _sink()
    sink.put([plan.task(final_status(attempts), facts)])
    was_away = attempts[-1].delivery.pending > 0
    delivery = sink.close(INTERRUPTED_PATIENCE_SECONDS if was_away else PATIENCE_SECONDS)
    _tell(delivery)
    return delivery


@contextmanager
def closed_in_any_case(plan: RunPlan) -> Iterator[None]:
    """Leave no task in progress: Ctrl-C and a cancelled flow cancel it, an error fails it."""
    try:
        yield
    except BaseException as error:
        cancelled = not isinstance(error, Exception)
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        _close_now(plan, Status.CANCELLED if cancelled else Status.FAILED, reason)
        raise


def _close_now(plan: RunPlan, status: Status, reason: str) -> None:
    facts: dict[str, Any] = {"ended": reason}
    note = plan.note(Level.ERROR, f"the recording ended early: {reason}")
    # The error on its way out tells more than a store that is away as well.
    with suppress(StorageError):
        shared_stores().writer.write([note, plan.task(status, facts)])


def _sink() -> Sink:
    return Sink(shared_stores().writer.write, away=StoreUnavailable)


def _tell(delivery: Delivery) -> None:
    """Say what was not stored.

    Raises:
        StorageError: what stopped the delivery for good.
    """
    logger = get_run_logger()
    for rejected in delivery.rejected:
        logger.warning("A store refused %s", rejected)
    if delivery.pending:
        logger.error("%d records reached no store in time and are lost", delivery.pending)
    if delivery.failure:
        raise delivery.failure
