"""Applying policies: what is to go is judged page by page, and deleted for good in batches.

It may be killed at any point. What has a tombstone by then is ended first by the next run, or by
the flow `finish-deletions`; everything else is judged anew.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from uuid import UUID

from pydantic_core import to_json

from agentruns.models import utcnow
from storage.acts import Act
from storage.closing import Closable
from storage.deletion import Deleting, Finishing
from storage.deletion.tombstones import opened_task
from storage.errors import MigrationRunning
from storage.mongo.removing import DocumentRemover
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retention.judging import START, Judging, Place
from storage.retention.models import FIRST, Kind, Policy, PolicyReport, RetentionReport
from storage.retention.own_tables import OwnTables
from storage.retention.policies import Policies
from storage.retries import retried
from storage.settings import Settings
from storage.stores import Stores

#: So many tasks are deleted together.
BATCH = 100
_SECONDS = 60.0


def applied_by_pages(
    policy: Policy,
    apply_page: Callable[[Policy, datetime, Place], tuple[Place | None, PolicyReport]],
    prune: Callable[[Policy, datetime], PolicyReport],
) -> PolicyReport:
    """Apply one policy by what does so for the next tasks, until none is left."""
    report, now = PolicyReport(policy=policy.name, kind=policy.kind), utcnow()
    if policy.kind is not Kind.TASKS:
        return prune(policy, now)
    place: Place | None = START
    while place:
        place, more = apply_page(policy, now, place)
        report = report.plus(more)
    return report


class Retaining(Closable):
    """Says what goes by the policies that there are, and deletes it, as the operator."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._stores = Stores(settings)
        self._deleting = Deleting(self._stores.settings)

    @cached_property
    def policies(self) -> Policies:
        """The policies."""
        return Policies(self._stores.postgres)

    def chosen(self, name: str | None = None) -> list[Policy]:
        """The policies that are enabled, or the one of this name.

        Raises:
            RecordNotFound: when there is none with this name.
        """
        if name is not None:
            return [self.policies.get(name)]
        return [policy for policy in self.policies.all() if policy.enabled]

    def plan(self, name: str | None = None) -> RetentionReport:
        """What would go, and why other tasks stay; a task counts for the first of its policies."""
        seen = set[UUID]()
        return RetentionReport(
            applied=False,
            policies=tuple(self._planned(policy, seen) for policy in self.chosen(name)),
        )

    def apply(
        self, name: str | None = None, told: Callable[[int], None] = lambda _: None
    ) -> RetentionReport:
        """Delete what goes by the policies; `told` hears how many tasks went with each batch."""
        self.end_cut_off()
        return RetentionReport(
            applied=True,
            policies=tuple(self.apply_one(policy, told) for policy in self.chosen(name)),
        )

    def end_cut_off(self) -> None:
        """End the deletions that a kill or an outage left."""
        Finishing(self._deleting).end()

    def apply_one(
        self, policy: Policy, told: Callable[[int], None] = lambda _: None
    ) -> PolicyReport:
        """Delete what goes by one policy."""
        return applied_by_pages(policy, partial(self.apply_page, told=told), self.prune)

    def apply_page(
        self,
        policy: Policy,
        now: datetime,
        after: Place,
        told: Callable[[int], None] = lambda _: None,
    ) -> tuple[Place | None, PolicyReport]:
        """Delete what goes of the next tasks; the last of them, and None after all.

        Nothing goes any more by a policy that somebody changed or removed meanwhile.
        """
        report = PolicyReport(policy=policy.name, kind=policy.kind)
        page = self._judging.page(policy, now - policy.older_than, after)
        if page is None:
            return None, report
        report = report.model_copy(update={"kept": page.kept})
        for ids in _batches(page.going):
            if not self.policies.stands(policy):
                return None, report
            report = report.plus(self._delete(policy, now - policy.older_than, after, ids))
            told(len(ids))
        return page.reached, report

    def prune(self, policy: Policy, now: datetime) -> PolicyReport:
        """Remove what goes of our own tables."""
        return self._own_tables.prune(policy, now)

    def close(self) -> None:
        """Close every connection."""
        self._deleting.close()
        self._stores.close()
        self._documents.close()

    def _planned(self, policy: Policy, seen: set[UUID]) -> PolicyReport:
        report, now = PolicyReport(policy=policy.name, kind=policy.kind), utcnow()
        if policy.kind is not Kind.TASKS:
            return self._own_tables.plan(policy, now)
        for page in self._judging.pages(policy, now - policy.older_than):
            new = [id_ for id_ in page.going if id_ not in seen]
            seen.update(new)
            more = self._weighed(policy, new)
            report = report.plus(more.model_copy(update={"kept": page.kept}))
        return report

    def _weighed(self, policy: Policy, ids: Sequence[UUID]) -> PolicyReport:
        return PolicyReport(
            policy=policy.name,
            kind=policy.kind,
            agents=tuple(self._judging.weigh(ids)) if ids else (),
            first=tuple(ids[:FIRST]),
        )

    def _delete(
        self, policy: Policy, before: datetime, after: Place, ids: Sequence[UUID]
    ) -> PolicyReport:
        opened = self._open(policy, before, after, ids)
        task_ids = [one.task_id for one in self._deleting.tombstones.some(opened) if one.task_id]
        report = self._weighed(policy, task_ids)
        done = self._deleting.finish_some(opened)
        left = sum(not one.verified for one in done) + len(opened) - len(done)
        return report.model_copy(update={"left": left})

    @retried
    def _open(
        self, policy: Policy, before: datetime, after: Place, ids: Sequence[UUID]
    ) -> list[UUID]:
        """The tombstones of those of some tasks that still go; all at once, or none."""
        with self._stores.postgres.connection(_SECONDS) as connection:
            told = {"ids": list(ids)}
            rows = connection.execute(query("lock_tasks_to_retain"), told).fetchall()
            # With looks of their own: what came while we waited for the lock is seen now.
            gone = {row[0] for row in connection.execute(query("tasks_among"), told)}
            judged = self._judging.page_now(connection, policy, before, after)
            going = set(judged.going if judged else ()) - gone
            opened = [
                id_
                for task_id, agent_id in rows
                if task_id in going
                for id_ in _opened(connection, agent_id, task_id, policy)
            ]
            if opened:
                _audit(connection, policy, len(opened))
        return opened

    @cached_property
    def _judging(self) -> Judging:
        return Judging(self._stores.postgres, self._documents)

    @cached_property
    def _own_tables(self) -> OwnTables:
        return OwnTables(self._stores.postgres)

    @cached_property
    def _documents(self) -> DocumentRemover:
        return DocumentRemover(self._stores.settings)


def _opened(
    connection: PgConnection, agent_id: str, task_id: UUID, policy: Policy
) -> Iterator[UUID]:
    """The tombstone of a task; none while a migration is at work on it."""
    try:
        with connection.transaction():
            deletion = opened_task(connection, agent_id, task_id, policy=policy.name)
    except MigrationRunning:
        return
    yield deletion.id


def _audit(connection: PgConnection, policy: Policy, tasks: int) -> None:
    entries = to_json([Act(details={"policy": policy.name, "tasks": tasks}).entry()]).decode()
    connection.execute(query("audit"), {"what": "retention applied", "entries": entries})


def _batches(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch
