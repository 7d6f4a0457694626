"""The steps of a migration, to be killed in the middle of one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from storage.errors import RecordRejected
from storage.migration import MigrationStore
from storage.migration.comparing import Comparing
from storage.migration.copying import Copying
from storage.migration.cutover import cut_over, remove_source
from storage.migration.models import START
from storage.migration.places import place_of
from storage.migration.reaching import at_hand
from storage.migration.rebuilding import Rebuilding
from storage.migration.superseding import Superseding
from storage.migration.verifying import Verifying
from storage.stores import Stores

#: A run of a migration does these; who is killed in one of them begins again with the first.
RUN = ("inventory", "copy", "verify")
STEPS = (*RUN, "cutover", "rebuild", "remove")


class Job(NamedTuple):
    """What a process is to do."""

    source: str
    agent_id: str
    steps: Sequence[str]
    target: Path
    """Where folders are rebuilt."""
    accepted: Sequence[str] = ()


class Work:
    """The steps of one migration."""

    def __init__(self, job: Job, stores: Stores) -> None:
        self._job = job
        self._stores = stores
        self._store = MigrationStore(self._stores.postgres)
        self._migration = self._store.open(place_of(job.source).name, job.agent_id, "UTC")

    def inventory(self) -> None:
        self._store.take_inventory(self._migration)

    def copy(self) -> None:
        """Copy and verify by batches of two, as a run does that copies."""
        Superseding(self._stores).look_for_recordings(self._migration.id)
        waiting = self._store.items_to_copy(self._migration.id, START, 1000)
        ids = [key.id for key, _, _ in waiting]
        comparing = Comparing(self._stores, self._migration.agent_id)
        for at in range(0, len(ids), 2):
            copying = Copying(self._store, self._stores.writer)
            copying.copy(self._migration, ids[at : at + 2], comparing)
        self._store.note_copy(self._migration.id)

    def verify(self) -> None:
        """Verify byte by byte what was not verified so since its copy."""
        ids = self._store.items_to_verify(self._migration.id, None, 1000, only_new=True, deep=True)
        files = self._store.files_of(ids)
        with at_hand(self._migration, chain.from_iterable(files.values())) as here:
            verifying = Verifying(self._stores, here, deep=True)
            for item in self._store.items(ids):
                found = verifying.differences(item, files[item.id])
                self._store.note_differences(item, found, deep=True)
        self._store.note_verification(self._migration.id, deep=True)

    def cutover(self) -> None:
        done = cut_over(self._store, self._migration.id, "somebody", self._job.accepted)
        assert done.reasons == [], done.reasons

    def remove(self) -> None:
        remove_source(self._store, self._migration.id)

    def rebuild(self) -> None:
        """Every task that was imported, each into a folder of its own."""
        rebuilding = Rebuilding(self._stores.postgres, self._stores.minio)
        for task_id in self._tasks():
            # What was rebuilt before the kill is left alone.
            with suppress(RecordRejected):
                rebuilding.rebuild(task_id, self._job.target / str(task_id))

    def _tasks(self) -> list[UUID]:
        ids = self._store.items_to_verify(self._migration.id, None, 1000)
        return sorted(task_id for item in self._store.items(ids) for task_id in item.task_ids)


def steps(job: Job) -> Iterator[str]:
    """Tell of each step before it begins."""
    with Stores() as stores:
        work = Work(job, stores)
        for name in job.steps:
            yield name
            getattr(work, name)()
