"""The objects of a task or an agent: all below its folder, but for what another task shows."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from agentruns.models import Bucket
from storage.deletion.models import Deletion
from storage.deletion.tombstones import NO_ID
from storage.minio.removing import ObjectRemover, Version
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried
from storage.settings import Settings

_PAGE = 1000


class Sorted(NamedTuple):
    """Versions of objects in one bucket, by what becomes of them."""

    bucket: Bucket
    going: list[Version]
    kept: int


class Objects:
    """Finds and removes objects; removing again changes nothing."""

    def __init__(self, settings: Settings, postgres: PostgresAdapter) -> None:
        self._postgres = postgres
        self._remover = ObjectRemover(settings)

    def found(self, deletion: Deletion) -> Iterator[Sorted]:
        """Every object of it, page by page."""
        for bucket in Bucket:
            for page in self._remover.versions(bucket, deletion.folder):
                yield self._sorted(deletion, bucket, page)
        if deletion.task_id is not None:
            yield from self._archives(deletion)
            yield from self._elsewhere(deletion)

    def remove(self, deletion: Deletion) -> None:
        """Remove all versions of all of them."""
        for bucket, going, _ in self.found(deletion):
            self._remover.remove(bucket, going)

    def count(self, deletion: Deletion) -> tuple[dict[str, int], int]:
        """How many there are in each bucket, and how many stay since others refer to them."""
        counts: dict[str, int] = {bucket.value: 0 for bucket in Bucket}
        kept = 0
        for bucket, going, staying in self.found(deletion):
            counts[bucket.value] += len(going)
            kept += staying
        return counts, kept

    def remove_buried(self, deletion: Deletion) -> None:
        """Remove what lies in folders of tasks that are gone, of an agent whose name lives on."""
        for bucket in Bucket:
            folders = self._remover.folders(bucket, deletion.folder)
            while page := list(islice(folders, _PAGE)):
                for folder in self._buried(page):
                    for versions in self._remover.versions(bucket, folder):
                        self._remover.remove(bucket, versions)

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
