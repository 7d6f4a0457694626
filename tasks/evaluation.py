"""The steps of an evaluation pass: each is one call to the stores."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from agentruns.models import new_id
from storage.evaluation import BatchResult, Counts, EvaluationStore, TaskVerdict
from storage.evidence import PassOrder, TaskKey
from storage.settings import component_settings
from storage.stores import shared_stores
from tasks.retries import store_task

#: How long a pass waits for another one to end before it gives up.
PATIENCE_SECONDS = 600.0


@contextmanager
def only_pass() -> Iterator[None]:
    """Be the only pass on these stores while this lasts; waits for another one to end.

    Raises:
        StoreUnavailable: when the other one takes too long.
    """
    with _evaluation().only_pass(PATIENCE_SECONDS):
        yield


@store_task
def open_pass(order: PassOrder) -> UUID:
    """Note that a pass begins; returns its id."""
    pass_id = new_id()
    _evaluation().open_pass(pass_id, order)
    return pass_id


@store_task
def evaluate_batch(pass_id: UUID, order: PassOrder, after: TaskKey, room: int) -> BatchResult:
    """Judge the next tasks after a place, at most `room` of them."""
    return _evaluation().evaluate_batch(pass_id, order, after, room)


@store_task
def close_pass(pass_id: UUID, errors: Mapping[str, str]) -> Counts:
    """Note that a pass is over; returns its counts."""
    return _evaluation().close_pass(pass_id, errors)


@store_task
def worst_verdicts(order: PassOrder, done: BatchResult) -> list[TaskVerdict]:
    """The tasks with the lowest scores of the last scorer, and why."""
    ids = [task_id for _, task_id in done.worst]
    return _evaluation().verdicts_of(ids, order.selected()[-1])


def _evaluation() -> EvaluationStore:
    stores = shared_stores(component_settings("evaluator"))
    return EvaluationStore(stores.postgres, stores.mongo)
