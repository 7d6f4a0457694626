"""The objects of a task or an agent: all below its folder, but for what another task shows."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import NamedTuple, TypeVar
from uuid import UUID

from agentruns.models import Bucket
from storage.deletion.models import Deletion
from storage.deletion.names import Names
from storage.deletion.tombstones import NO_ID
from storage.minio.buckets import QUARANTINE
from storage.minio.removing import ObjectRemover, Version
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried
from storage.settings import Settings

T = TypeVar("T")

_PAGE = 1000
#: The object store answers no quicker than that.
_AT_ONCE = 8


class Sorted(NamedTuple):
    """Versions of objects in one bucket, by what becomes of them."""

    bucket: str
    going: list[Version]
    kept: int


class Counted(NamedTuple):
    """How many objects there are."""

    going: dict[str, int]
    """By bucket."""
    kept: int
    """Others refer to them."""


class Objects:
    """Finds and removes objects; removing again changes nothing."""

    def __init__(self, settings: Settings, postgres: PostgresAdapter) -> None:
        self._postgres = postgres
        self._remover = ObjectRemover(settings)
        self._names = Names(postgres)

    def found(self, deletion: Deletion) -> Iterator[Sorted]:
        """Every object of it, page by page."""
        for bucket in Bucket:
            for page in self._remover.versions(bucket, deletion.folder):
                yield self._sorted(deletion, bucket, page)
        for page in self._remover.versions(QUARANTINE, deletion.folder):
            # What was taken aside is nobody else's.
            yield Sorted(QUARANTINE, list(page), 0)
        if deletion.task_id is not None:
            yield from self._archives(deletion)
            yield from self._elsewhere(deletion)

    def remove(self, deletions: Sequence[Deletion]) -> None:
        """Remove all versions of all objects of these, and their names from inventories."""
        self._each(self._remove, deletions)

    def count(self, deletions: Sequence[Deletion]) -> dict[UUID, Counted]:
        """How many objects each of these has."""
        counted = self._each(self._count, deletions)
        return {one.id: number for one, number in zip(deletions, counted, strict=True)}

    def late(self, deletions: Sequence[Deletion]) -> set[UUID]:
        """Which of these finished deletions have something in their folders again.

        One look at the folders of each agent, in the range in which its deleted tasks lie, instead
        of one at each.
        """
        by_agent = defaultdict[str, dict[str, UUID]](dict)
        for one in deletions:
            by_agent[one.agent_id][one.folder] = one.id
        return {
            folders[found]
            for agent_id, folders in by_agent.items()
            for bucket in Bucket
            for found in self._remover.folders_in(bucket, f"{agent_id}/", sorted(folders))
            if found in folders
        }

    def remove_buried(self, deletion: Deletion) -> None:
        """Remove what lies in folders of tasks that are gone, of an agent whose name lives on."""
        for bucket in (*Bucket, QUARANTINE):
            folders = self._remover.folders(bucket, deletion.folder)
            while page := list(islice(folders, _PAGE)):
                for folder in self._buried(page):
                    for versions in self._remover.versions(bucket, folder):
                        self._remover.remove(bucket, versions)

    def _remove(self, deletion: Deletion) -> None:
        for bucket, going, _ in self.found(deletion):
            # First the names: once the objects are gone, nobody knows them any more.
            self._names.forget(bucket, [version.path for version in going])
            self._remover.remove(bucket, going)

    def _count(self, deletion: Deletion) -> Counted:
        counts: dict[str, int] = {str(bucket): 0 for bucket in (*Bucket, QUARANTINE)}
        kept = 0
        for bucket, going, staying in self.found(deletion):
            counts[str(bucket)] += len(going)
            kept += staying
        return Counted(counts, kept)

    def _each(self, act: Callable[[Deletion], T], deletions: Sequence[Deletion]) -> list[T]:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="deleting") as pool:
            return list(pool.map(act, deletions))

    def _sorted(self, deletion: Deletion, bucket: Bucket, page: Sequence[Version]) -> Sorted:
        if deletion.task_id is None:
            # Nobody else's row can name an object of the agent.
            return Sorted(bucket, list(page), 0)
        needed = self._needed(deletion, bucket, {version.path for version in page})
        going = [version for version in page if version.path not in needed]
        return Sorted(bucket, going, len(page) - len(going))

    def _archives(self, deletion: Deletion) -> Iterator[Sorted]:
        """Archives that are filed under another task, and hold something of this one."""
        for path in deletion.archives:
            if not path.startswith(deletion.folder):
                yield Sorted(Bucket.BINARIES, self._versions_of(Bucket.BINARIES, path), 0)

    def _elsewhere(self, deletion: Deletion) -> Iterator[Sorted]:
        """What its rows name in other folders, where nobody else names it."""
        after = NO_ID
        while rows := self._rows_elsewhere(deletion, after):
            for _, name, path in rows:
                bucket = Bucket(name)
                versions = self._versions_of(bucket, path)
                if path not in deletion.archives:
                    yield self._sorted(deletion, bucket, versions)
            after = rows[-1][0]

    def _versions_of(self, bucket: Bucket, path: str) -> list[Version]:
        pages = self._remover.versions(bucket, path)
        return [version for page in pages for version in page if version.path == path]

    @retried
    def _buried(self, folders: Sequence[str]) -> list[str]:
        by_task = {}
        for folder in folders:
            with suppress(ValueError):
                by_task[UUID(folder.split("/")[1])] = folder
        with self._postgres.connection() as connection:
            rows = connection.execute(query("tasks_among"), {"ids": list(by_task)})
            return [by_task[row[0]] for row in rows]

    @retried
    def _needed(self, deletion: Deletion, bucket: Bucket, paths: set[str]) -> set[str]:
        paths -= set(deletion.archives)
        told = {"bucket": bucket, "paths": sorted(paths), "task_id": deletion.task_id}
        with self._postgres.connection() as connection:
            return {row[0] for row in connection.execute(query("paths_of_others"), told)}

    @retried
    def _rows_elsewhere(self, deletion: Deletion, after: UUID) -> list[tuple[UUID, str, str]]:
        told = {"task_id": deletion.task_id, "folder": deletion.folder, "after": after}
        with self._postgres.connection() as connection:
            rows = connection.execute(query("objects_elsewhere"), told | {"rows": _PAGE})
            return [(id_, bucket, path) for id_, bucket, path in rows.fetchall()]
