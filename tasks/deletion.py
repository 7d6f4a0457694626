"""The steps of deleting for good: each is one call with ids, and can be repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from storage.deletion import Deleted, Deleting, Finished, Finishing, Plan
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
def count(deletion_id: UUID) -> None:
    """Note how much there is."""
    with Deleting() as deleting:
        deleting.count(deletion_id)


@store_task
def shut_out(deletion_id: UUID) -> None:
    """Take the agent's keys from all three stores."""
    with Deleting() as deleting:
        deleting.shut_out(deletion_id)


@store_task
def remove_objects(deletion_id: UUID) -> None:
    """Remove every version of every object."""
    with Deleting() as deleting:
        deleting.remove_objects(deletion_id)


@store_task
def remove_documents(deletion_id: UUID) -> None:
    """Remove what MongoDB has."""
    with Deleting() as deleting:
        deleting.remove_documents(deletion_id)


@store_task
def remove_rows(deletion_id: UUID) -> None:
    """Remove what PostgreSQL has, but for the tombstone."""
    with Deleting() as deleting:
        deleting.remove_rows(deletion_id)


@store_task
def verify(deletion_id: UUID) -> Deleted:
    """Search all stores; when nothing is left, the deletion is finished."""
    with Deleting() as deleting:
        return deleting.verify(deletion_id)


@store_task
def finish_all() -> Finished:
    """End every deletion that was cut off, and remove what came in after finished ones."""
    with Deleting() as deleting:
        return Finishing(deleting).finish()
