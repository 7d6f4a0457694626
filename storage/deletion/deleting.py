"""Deleting a task or an agent: first the tombstone, then what it had, and then a search.

Whatever is cut off in the middle, nothing of it comes in again, and a repeat ends it.
"""

from collections.abc import Sequence
from functools import cached_property
from uuid import UUID

from agentruns.models import utcnow
from storage.access.installation import Installation
from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.deletion.models import Deleted, Deletion, Plan, without_zeros
from storage.deletion.steps import STEPS, Steps
from storage.deletion.tombstones import NO_ID, Tombstones
from storage.errors import RecordNotFound
from storage.settings import Settings
from storage.stores import Stores

#: Whoever was writing when the tombstone came may leave something behind it.
_ROUNDS = 3


class Deleting(Closable):
    """Deletes for good, as the operator."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._stores = Stores(settings)

    def plan_task(self, task_id: UUID) -> Plan:
        """What deleting a task would take.

        Raises:
            RecordNotFound: when there is no such task, and never was one.
        """
        if known := self.tombstones.of_task(task_id):
            return self._planned(known, known)
        agent_id = self._stores.postgres.get_task(task_id).agent_id
        return self._planned(self._imagined(agent_id, task_id), None)

    def plan_agent(self, agent_id: str) -> Plan:
        """What deleting an agent would take.

        Raises:
            RecordNotFound: when no store knows anything of it.
        """
        if known := self.tombstones.of_agent(checked_agent_id(agent_id)):
            return self._planned(known, known)
        plan = self._planned(self._imagined(agent_id, None), None)
        if not without_zeros(plan.found):
            raise RecordNotFound(
                f"There is nothing of an agent {agent_id}: 'agentruns agents list' shows who is "
                "let in."
            )
        return plan

    def delete_task(self, task_id: UUID) -> Deleted:
        """Delete a task for good; doing it again ends what was cut off.

        Raises:
            RecordNotFound: when there is no such task, and never was one.
            MigrationRunning: when a migration is at work that brings it.
            DeletionRunning: when somebody else deletes it in this moment.
            TaskHeld: when it is held.
        """
        return self.finish(self.tombstones.open_task(task_id).id)

    def delete_agent(self, agent_id: str) -> Deleted:
        """Delete an agent for good: its keys and everything that it recorded.

        Raises:
            RecordNotFound: when no store knows anything of it.
            MigrationRunning: when a migration is at work that brings records of it.
            DeletionRunning: when somebody else deletes it in this moment.
            TaskHeld: when a task of it is held.
        """
        return self.finish(self.begin_agent(agent_id).id)

    def begin_agent(self, agent_id: str) -> Deletion:
        """The tombstone of an agent of which there is something."""
        self.plan_agent(agent_id)
        return self.tombstones.open_agent(agent_id)

    def finish(self, deletion_id: UUID) -> Deleted:
        """Do what is left of a deletion, which may be all or nothing.

        Raises:
            DeletionRunning: when somebody else does.
        """
        with self.tombstones.only_one(self.tombstones.get(deletion_id)):
            return self._finish([deletion_id])[0]

    def finish_some(self, ids: Sequence[UUID]) -> list[Deleted]:
        """The same for several at once, but for those that somebody else is at work on."""
        with self.tombstones.taken(ids) as taken:
            return self._finish(taken) if taken else []

    def sweep(self, deletions: Sequence[Deletion]) -> list[Deleted]:
        """Remove what came in after finished deletions; one search for all tasks among them."""
        tasks = [one for one in deletions if one.task_id]
        late = self.steps.late(tasks) if tasks else []
        done = {one.id: Deleted.of(one, {}) for one in tasks if one not in late}
        done |= {one.deletion_id: one for one in self.finish_some([one.id for one in late])}
        for one in deletions:
            if one.task_id is None:
                done |= {swept.deletion_id: swept for swept in self._sweep_agent(one)}
        self.tombstones.note_sweeps([id_ for id_, one in done.items() if one.verified])
        return list(done.values())

    def close(self) -> None:
        """Close every connection."""
        self._stores.close()
        # Only what was opened: opening asks the stores whose they are.
        if "steps" in self.__dict__:
            self.steps.close()

    @cached_property
    def tombstones(self) -> Tombstones:
        """What was deleted, and what is yet to be, once the stores have said that they are ours."""
        settings = self._stores.settings
        Installation(settings).compare()
        return Tombstones(self._stores.postgres, settings.required("postgres_url"))

    @cached_property
    def steps(self) -> Steps:
        """What is done to one deletion, or to several together."""
        return Steps(self._stores, self.tombstones)

    def _finish(self, ids: Sequence[UUID]) -> list[Deleted]:
        done: dict[UUID, Deleted] = {}
        for _ in range(_ROUNDS):
            left = [id_ for id_ in ids if id_ not in done or not done[id_].verified]
            if not left:
                break
            for step in STEPS[:-1]:
                self.steps.take(step, left)
            verified = self.steps.verify(self.tombstones.some(left))
            done |= {one.deletion_id: one for one in verified}
        return list(done.values())

    def _sweep_agent(self, deletion: Deletion) -> list[Deleted]:
        with self.tombstones.taken([deletion.id]) as taken:
            if not taken:
                return []
            if deletion.readmitted_at:
                self.steps.remove_buried(deletion)
            done = self.steps.verify([deletion])
            return done if done[0].verified else self._finish([deletion.id])

    def _planned(self, about: Deletion, known: Deletion | None) -> Plan:
        return Plan(
            agent_id=about.agent_id,
            task_id=about.task_id,
            deletion_id=known and known.id,
            finished_at=known and known.finished_at,
            found=self.steps.found([about])[about.id],
            kept=self.steps.kept(about),
        )

    def _imagined(self, agent_id: str, task_id: UUID | None) -> Deletion:
        """The deletion that is not begun yet."""
        archives = () if task_id is None else self.tombstones.archives_of(agent_id, task_id)
        return Deletion(
            id=NO_ID,
            agent_id=agent_id,
            task_id=task_id,
            began_at=utcnow(),
            began_by="",
            archives=archives,
        )
