"""The steps of deleting for good: each is one call with ids, and can be repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from storage.deletion import Deleted, Deleting, Finished, Finishing, Plan, Step
from tasks.retries import store_task


@store_task
def plan_agent(agent_id: str) -> Plan:
    """What deleting an agent would take."""
    with Deleting() as deleting:
        return deleting.plan_agent(agent_id)


@store_task
def begin_agent(agent_id: str) -> UUID:
    """The tombstone: from here on nothing of the agent is taken any more."""
    with Deleting() as deleting:
        return deleting.begin_agent(agent_id).id


@contextmanager
def only_one(deletion_id: UUID) -> Iterator[None]:
    """Be the only one at work on a deletion while this lasts."""
    with Deleting() as deleting:
        tombstones = deleting.tombstones
        with tombstones.only_one(tombstones.get(deletion_id)):
            yield


@store_task
def take_step(step: Step, deletion_id: UUID) -> None:
    """Take one of the steps."""
    with Deleting() as deleting:
        deleting.steps.take(step, [deletion_id])


@store_task
def verify(deletion_id: UUID) -> Deleted:
    """Search all stores; when nothing is left, the deletion is finished."""
    with Deleting() as deleting:
        return deleting.steps.verify([deleting.tombstones.get(deletion_id)])[0]


@store_task
def finish_all() -> Finished:
    """End every deletion that was cut off, and remove what came in after finished ones."""
    with Deleting() as deleting:
        return Finishing(deleting).finish()
