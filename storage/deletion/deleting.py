"""Deleting a task or an agent: first the tombstone, then what it had, and then a search.

Whatever is cut off in the middle, nothing of it comes in again, and a repeat ends it.
"""

from functools import cached_property
from uuid import UUID

from agentruns.models import utcnow
from storage.access import Provisioning
from storage.access.credentials import credentials_file
from storage.access.installation import Installation
from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.deletion.models import Counts, Deleted, Deletion, Plan, without_zeros
from storage.deletion.objects import Objects
from storage.deletion.rows import Rows
from storage.deletion.tombstones import NO_ID, Tombstones
from storage.errors import RecordNotFound
from storage.mongo.removing import DocumentRemover
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
        """
        return self.finish(self.tombstones.open_task(task_id).id)

    def delete_agent(self, agent_id: str) -> Deleted:
        """Delete an agent for good: its keys and everything that it recorded.

        Raises:
            RecordNotFound: when no store knows anything of it.
            MigrationRunning: when a migration is at work that brings records of it.
            DeletionRunning: when somebody else deletes it in this moment.
        """
        return self.finish(self.begin_agent(agent_id).id)

    def begin_agent(self, agent_id: str) -> Deletion:
        """The tombstone of an agent of which there is something."""
        self.plan_agent(agent_id)
        return self.tombstones.open_agent(agent_id)

    def finish(self, deletion_id: UUID) -> Deleted:
        """Do what is left of a deletion, which may be all or nothing."""
        deletion = self.tombstones.get(deletion_id)
        with self.tombstones.only_one(deletion):
            self.count(deletion_id)
            for _ in range(_ROUNDS):
                self.shut_out(deletion_id)
                self.remove_objects(deletion_id)
                self.remove_documents(deletion_id)
                self.remove_rows(deletion_id)
                done = self.verify(deletion_id)
                if done.verified:
                    break
        return done

    def sweep(self, deletion_id: UUID) -> Deleted:
        """Remove what came in after a finished deletion."""
        deletion = self.tombstones.get(deletion_id)
        if deletion.readmitted_at:
            with self.tombstones.only_one(deletion):
                self.remove_documents(deletion_id)
                self._objects.remove_buried(deletion)
        done = self.verify(deletion_id)
        if not done.verified:
            done = self.finish(deletion_id)
        if done.verified:
            self.tombstones.note_sweep(deletion)
        return done

    def count(self, deletion_id: UUID) -> None:
        """Note how much there is, unless that was done."""
        deletion = self.tombstones.get(deletion_id)
        if deletion.found is None:
            found = self._planned(deletion, None).found
            if deletion.items:
                # The tombstone took them out of their list.
                found["postgres"]["migration_items"] = deletion.items
            self.tombstones.note_found(deletion, without_zeros(found))

    def shut_out(self, deletion_id: UUID) -> None:
        """Take an agent's keys from all three stores, and from the home of this machine."""
        deletion = self.tombstones.get(deletion_id)
        if deletion.task_id is None and not deletion.readmitted_at:
            with Provisioning(self._stores.settings) as access:
                access.remove(deletion.agent_id)
            credentials_file(deletion.agent_id).unlink(missing_ok=True)

    def remove_objects(self, deletion_id: UUID) -> None:
        """Remove what is in the object store, every version."""
        deletion = self.tombstones.get(deletion_id)
        if not deletion.readmitted_at:
            self._objects.remove(deletion)

    def remove_documents(self, deletion_id: UUID) -> None:
        """Remove what is in MongoDB."""
        deletion = self.tombstones.get(deletion_id)
        if deletion.readmitted_at:
            self._documents.remove_older(deletion.agent_id, deletion.readmitted_at)
            for task_ids in self.tombstones.tasks_of(deletion):
                self._documents.remove_tasks(deletion.agent_id, task_ids)
        elif deletion.task_id is None:
            self._documents.remove_agent(deletion.agent_id)
        else:
            self._documents.remove_tasks(deletion.agent_id, [deletion.task_id])

    def remove_rows(self, deletion_id: UUID) -> None:
        """Remove what is in PostgreSQL but for the tombstone, in batches."""
        deletion = self.tombstones.get(deletion_id)
        if deletion.readmitted_at:
            return
        self._rows.remove(deletion)
        if deletion.task_id is None:
            self._rows.forget_agent(deletion.agent_id)

    def verify(self, deletion_id: UUID) -> Deleted:
        """Search all stores; when nothing is left, the deletion is finished."""
        deletion = self.tombstones.get(deletion_id)
        left = {} if deletion.readmitted_at else without_zeros(self._planned(deletion, None).found)
        if not left:
            self.tombstones.finish(deletion)
        return Deleted(
            agent_id=deletion.agent_id,
            task_id=deletion.task_id,
            deletion_id=deletion.id,
            deleted=deletion.found or {},
            left=left,
        )

    def close(self) -> None:
        """Close every connection."""
        self._stores.close()
        self._documents.close()

    @cached_property
    def tombstones(self) -> Tombstones:
        """What was deleted, and what is yet to be, once the stores have said that they are ours."""
        settings = self._stores.settings
        Installation(settings).compare()
        return Tombstones(self._stores.postgres, settings.required("postgres_url"))

    def _planned(self, about: Deletion, known: Deletion | None) -> Plan:
        objects, kept = self._objects.count(about)
        found: Counts = {
            "postgres": self._rows.count(about.agent_id, about.task_id),
            "mongodb": self._documents.count(about.agent_id, about.task_id),
            "minio": objects,
        }
        return Plan(
            agent_id=about.agent_id,
            task_id=about.task_id,
            deletion_id=known and known.id,
            finished_at=known and known.finished_at,
            found=found,
            kept=kept,
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

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._stores.postgres)

    @cached_property
    def _documents(self) -> DocumentRemover:
        return DocumentRemover(self._stores.settings)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self._stores.settings, self._stores.postgres)
