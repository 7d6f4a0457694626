"""The steps of deleting, in their order: each takes deletions by id, and can be repeated.

Several deletions of tasks go together, so that no store is searched once for each of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal, get_args
from uuid import UUID

from storage.access import Provisioning
from storage.access.credentials import credentials_file
from storage.closing import Closable
from storage.deletion.models import Counts, Deleted, Deletion, without_zeros
from storage.deletion.names import Names
from storage.deletion.objects import Objects
from storage.deletion.rows import Rows
from storage.deletion.tombstones import Tombstones
from storage.mongo.removing import DocumentRemover
from storage.stores import Stores

Step = Literal[
    "count", "bury", "shut_out", "remove_objects", "remove_documents", "remove_rows", "verify"
]
#: Whoever deletes takes all of them, in this order.
STEPS: tuple[Step, ...] = get_args(Step)


class Steps(Closable):
    """Takes the steps of deletions that nobody else is at work on."""

    def __init__(self, stores: Stores, tombstones: Tombstones) -> None:
        self._stores = stores
        self._tombstones = tombstones

    def take(self, step: Step, ids: Sequence[UUID]) -> None:
        """Take one step of all of these."""
        getattr(self, step)(self._tombstones.some(ids))

    def count(self, deletions: Sequence[Deletion]) -> None:
        """Note how much there is, unless that was done."""
        uncounted = [one for one in deletions if one.found is None]
        found = self.found(uncounted)
        for one in uncounted:
            if one.items:
                # The tombstone took them out of their list.
                found[one.id]["postgres"]["migration_items"] = one.items
        self._tombstones.note_found({id_: without_zeros(told) for id_, told in found.items()})

    def bury(self, deletions: Sequence[Deletion]) -> None:
        """Have nothing hung on the tasks of agents any more; a task's tombstone says so itself."""
        for one in _agents(deletions):
            self._rows.bury(one)

    def shut_out(self, deletions: Sequence[Deletion]) -> None:
        """Take agents' keys from all three stores, and from the home of this machine."""
        for one in _agents(deletions):
            with Provisioning(self._stores.settings) as access:
                access.remove(one.agent_id)
            credentials_file(one.agent_id).unlink(missing_ok=True)

    def remove_objects(self, deletions: Sequence[Deletion]) -> None:
        """Remove what is in the object store, every version."""
        self._objects.remove([one for one in deletions if not one.readmitted_at])

    def remove_documents(self, deletions: Sequence[Deletion]) -> None:
        """Remove what is in MongoDB."""
        for agent_id, task_ids in _by_agent(deletions):
            self._documents.remove_tasks(agent_id, task_ids)
        for one in _agents(deletions):
            self._documents.remove_agent(one.agent_id)
        for one in deletions:
            if one.readmitted_at:
                self._remove_older(one)

    def remove_rows(self, deletions: Sequence[Deletion]) -> None:
        """Remove what is in PostgreSQL but for the tombstone, in batches."""
        self._names.forget_rows([one for one in deletions if not one.readmitted_at])
        if tasks := [one for one in deletions if one.task_id]:
            self._rows.remove_tasks(tasks)
        for one in _agents(deletions):
            self._rows.remove_agent(one)
            self._rows.forget_agent(one.agent_id)

    def verify(self, deletions: Sequence[Deletion]) -> list[Deleted]:
        """Search all stores; where nothing is left, the deletion is finished."""
        found = self.found([one for one in deletions if not one.readmitted_at])
        left = {id_: without_zeros(told) for id_, told in found.items()}
        self._tombstones.finish([one for one in deletions if not left.get(one.id)])
        return [Deleted.of(one, left.get(one.id, {})) for one in deletions]

    def late(self, deletions: Sequence[Deletion]) -> list[Deletion]:
        """Which of these finished deletions of tasks have something in a store again."""
        ids = [one.task_id for one in deletions if one.task_id]
        late = {id_ for id_, counts in self._rows.of_tasks(ids).items() if counts}
        for agent_id, task_ids in _by_agent(deletions):
            of_agent = self._documents.of_tasks(agent_id, task_ids)
            late |= {id_ for id_, counts in of_agent.items() if counts}
        again = self._objects.late(deletions)
        return [one for one in deletions if one.task_id in late or one.id in again]

    def remove_buried(self, deletion: Deletion) -> None:
        """Remove what came late of an agent whose name another has."""
        self._remove_older(deletion)
        self._objects.remove_buried(deletion)

    def found(self, deletions: Sequence[Deletion]) -> dict[UUID, Counts]:
        """How much there is of each in each store."""
        tasks = [one.task_id for one in deletions if one.task_id]
        rows = self._rows.of_tasks(tasks) if tasks else {}
        documents: dict[UUID, dict[str, int]] = {}
        for agent_id, task_ids in _by_agent(deletions):
            documents |= self._documents.of_tasks(agent_id, task_ids)
        objects = self._objects.count(deletions)
        return {
            one.id: {
                "postgres": rows[one.task_id] if one.task_id else self._rows.of_agent(one.agent_id),
                "mongodb": documents[one.task_id]
                if one.task_id
                else self._documents.of_agent(one.agent_id),
                "minio": objects[one.id].going,
            }
            for one in deletions
        }

    def kept(self, deletion: Deletion) -> int:
        """How many of its objects stay, as others refer to them."""
        return self._objects.count([deletion])[deletion.id].kept

    def close(self) -> None:
        """Close what was opened here."""
        self._documents.close()

    def _remove_older(self, deletion: Deletion) -> None:
        if deletion.readmitted_at is None:
            return
        self._documents.remove_older(deletion.agent_id, deletion.readmitted_at)
        for task_ids in self._tombstones.tasks_of(deletion):
            self._documents.remove_tasks(deletion.agent_id, task_ids)

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._stores.postgres)

    @cached_property
    def _names(self) -> Names:
        return Names(self._stores.postgres)

    @cached_property
    def _documents(self) -> DocumentRemover:
        return DocumentRemover(self._stores.settings)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self._stores.settings, self._stores.postgres)


def _agents(deletions: Iterable[Deletion]) -> Iterator[Deletion]:
    """The agents that go as a whole, and whose name nobody else has by now."""
    return (one for one in deletions if one.task_id is None and not one.readmitted_at)


def _by_agent(deletions: Iterable[Deletion]) -> Iterable[tuple[str, list[UUID]]]:
    """The tasks that go, by agent."""
    by_agent = defaultdict[str, list[UUID]](list)
    for one in deletions:
        if one.task_id:
            by_agent[one.agent_id].append(one.task_id)
    return by_agent.items()
