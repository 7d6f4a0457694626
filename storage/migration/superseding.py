"""Tasks that were made of folders before the live recordings of the same runs arrived.

The live task remains, as its agent may yet add to it. The other goes once everything that it had
is verified as part of the live one; verdicts on it become verdicts on that.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from agentruns.models import Bucket
from storage.acts import Act
from storage.migration.item_contents import APART
from storage.migration.models import START, ItemKey
from storage.minio.removing import ObjectRemover
from storage.mongo.removing import DocumentRemover
from storage.postgres.queries import query
from storage.retries import retried
from storage.stores import Stores

#: Recordings arrive when their spools are drained; one that lay longer is not looked for.
DAYS = 30
_PAGE = 100


class Superseded(NamedTuple):
    """A task that is to go, and the one that remains."""

    path: bytes
    item_id: UUID
    new: UUID
    old: UUID


class Removing(NamedTuple):
    """What removes for good, on all clusters and with all versions."""

    objects: ObjectRemover
    documents: DocumentRemover

    def finds_any(self, agent_id: str, task_id: UUID) -> bool:
        """Whether an object or a document of a task is there."""
        pages = (self.objects.versions(bucket, f"{agent_id}/{task_id}/") for bucket in Bucket)
        if any(chain.from_iterable(pages)):
            return True
        return any(self.documents.of_tasks(agent_id, [task_id])[task_id].values())

    def remove(self, agent_id: str, task_id: UUID) -> None:
        """Remove its objects, then its documents."""
        for bucket in Bucket:
            for versions in self.objects.versions(bucket, f"{agent_id}/{task_id}/"):
                self.objects.remove(bucket, versions)
        self.documents.remove_tasks(agent_id, [task_id])


class Superseding:
    """Makes one task of two that tell of one run."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @retried
    def look_for_recordings(self, migration_id: UUID) -> int:
        """Have runs copied again of which a live recording arrived since; gives how many."""
        given = {"migration_id": migration_id, "days": DAYS, "apart": APART.total_seconds()}
        with self._stores.postgres.connection() as connection:
            return connection.execute(query("look_for_recordings"), given).rowcount

    def supersede(self, migration_id: UUID, agent_id: str) -> int:
        """Remove the tasks whose runs are verified as their live recordings; gives how many.

        It may be killed at any point and be called again.
        """
        with DocumentRemover(self._stores.settings) as documents:
            removing = Removing(ObjectRemover(self._stores.settings), documents)
            return sum(self._remove(agent_id, f, removing) for f in self._found(migration_id))

    def _found(self, migration_id: UUID) -> Iterator[Superseded]:
        after = START
        while page := self._page(migration_id, after):
            yield from page
            after = ItemKey(page[-1].path, page[-1].item_id)

    @retried
    def _page(self, migration_id: UUID, after: ItemKey) -> list[Superseded]:
        place = {"after_path": after.path, "after_id": after.id, "rows": _PAGE}
        given = {"migration_id": migration_id, **place}
        with self._stores.postgres.connection() as connection:
            rows = connection.execute(query("tasks_to_supersede"), given).fetchall()
        return [Superseded(*row) for row in rows]

    def _remove(self, agent_id: str, found: Superseded, removing: Removing) -> bool:
        if self._has_own_records(agent_id, found.old):
            return False
        if not (self._has_row(found.old) or removing.finds_any(agent_id, found.old)):
            self._drop(found)
            return False
        told = {"superseded_by": str(found.new)}
        self._stores.postgres.audit("data deleted", [Act(agent_id, found.old, told)])
        self._follow(found)
        removing.remove(agent_id, found.old)
        self._drop(found)
        return True

    @retried
    def _has_own_records(self, agent_id: str, task_id: UUID) -> bool:
        with self._stores.postgres.connection() as connection:
            rows = connection.execute(query("own_records"), {"old": task_id}).fetchall()
        return bool(rows[0][0]) or self._stores.mongo.has_own_records(agent_id, task_id)

    @retried
    def _has_row(self, task_id: UUID) -> bool:
        with self._stores.postgres.connection() as connection:
            return bool(connection.execute(query("known_tasks"), {"ids": [task_id]}).fetchall())

    @retried
    def _follow(self, found: Superseded) -> None:
        """Before anything goes, what refers to it refers to what remains."""
        with self._stores.postgres.connection() as connection:
            for name in ("follow_verdicts", "follow_gone_items"):
                connection.execute(query(name), found._asdict())

    @retried
    def _drop(self, found: Superseded) -> None:
        with self._stores.postgres.connection() as connection:
            for name in ("drop_verdicts", "drop_steps", "drop_files", "drop_task"):
                connection.execute(query(name), {"old": found.old})
            connection.execute(query("note_superseded"), found._asdict())
