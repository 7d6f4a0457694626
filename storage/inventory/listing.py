"""Listing the object store: agents in parallel, ten thousand names in memory for each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from uuid import UUID

from agentruns.models import Bucket
from storage.inventory.models import Part, Snapshot
from storage.inventory.store import InventoryStore
from storage.minio import MinIOAdapter, ObjectInfo

#: Deliveries put an object first and write its row afterwards; a store that is away in between is
#: usually back by then.
GRACE = timedelta(hours=1)
#: The client reads each page in Python, so more threads only wait for each other.
_THREADS = 4
#: As many objects are kept at once: the sweet spot of COPY, and little memory.
_CHUNK = 10_000


class Listing:
    """Lists both buckets into PostgreSQL."""

    def __init__(self, store: InventoryStore, minio: MinIOAdapter) -> None:
        self._store = store
        self._minio = minio

    def take(self, grace: timedelta = GRACE) -> Snapshot:
        """A complete inventory, compared with the metadata; one that was cut off is completed."""
        snapshot = self._store.open(grace)
        self._plan(snapshot.id)
        parts = self._store.parts_to_list(snapshot.id)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="inventory") as pool:
            for _ in pool.map(lambda part: self._list(snapshot.id, part), parts):
                pass
        return self._store.finish(snapshot.id)

    def _plan(self, snapshot_id: UUID) -> None:
        planned = self._store.planned_buckets(snapshot_id)
        for bucket in Bucket:
            if bucket.value not in planned:
                found = self._minio.top_level(bucket)
                self._store.plan(snapshot_id, bucket.value, found.prefixes, found.objects)

    def _list(self, snapshot_id: UUID, part: Part) -> None:
        for chunk in _chunks(self._minio.list(part.bucket, part.prefix, part.reached or None)):
            part = self._store.keep(snapshot_id, part, chunk, is_done=False)
        self._store.keep(snapshot_id, part, (), is_done=True)


def _chunks(objects: Iterator[ObjectInfo]) -> Iterator[tuple[ObjectInfo, ...]]:
    while chunk := tuple(islice(objects, _CHUNK)):
        yield chunk
