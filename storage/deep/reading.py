"""Reading the objects of a pass: several at a time, piece by piece, and none of them twice."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from storage.deep.models import Pass, Reading, Target
from storage.deep.store import DeepStore
from storage.errors import RecordNotFound, StoreUnavailable
from storage.minio import MinIOAdapter

#: Some wait for the server while another one hashes; more of one process only wait for each other.
_THREADS = 6
#: As many objects are handed out before the first of them is read: a large one holds up nobody.
_AHEAD = 64
#: As many are kept at once, or what was read for so long; a kill reads no more of them again.
_BATCH, _SECONDS = 200, 2.0
_PAGE = 1000
#: A server may be away for a moment, and has answered in between.
_LOOKS = 2


class DeepReading:
    """Reads objects and keeps which of them hold something else than is told of them."""

    def __init__(self, store: DeepStore, minio: MinIOAdapter) -> None:
        self._store = store
        self._minio = minio

    def read(self, one: Pass) -> Pass:
        """Read what is left of a pass.

        Raises:
            StoreUnavailable: when the object store went away; what was read until then is kept.
        """
        kept: list[Reading] = []
        began = time.monotonic()
        for reading in self._readings(one.id):
            kept.append(reading)
            if len(kept) == _BATCH or time.monotonic() > began + _SECONDS:
                self._store.keep(one.id, kept)
                kept, began = [], time.monotonic()
        self._store.keep(one.id, kept)
        return self._store.finish(one.id)

    def _readings(self, pass_id: UUID) -> Iterator[Reading]:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="deep") as pool:
            waiting: deque[Future[Reading]] = deque()
            try:
                for target in self._targets(pass_id):
                    waiting.append(pool.submit(self._read, target))
                    if len(waiting) == _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                # Whoever stops does not wait for what was handed out.
                pool.shutdown(wait=False, cancel_futures=True)

    def _targets(self, pass_id: UUID) -> Iterator[Target]:
        page = self._store.to_read(pass_id, _PAGE)
        while page:
            yield from page
            page = self._store.to_read(pass_id, _PAGE, page[-1])

    def _read(self, target: Target) -> Reading:
        fault = ""
        for _ in range(_LOOKS):
            try:
                found = self._minio.content(target.bucket, target.object_path)
            except RecordNotFound:
                return self._absent(target)
            except ValueError as error:
                return _unreadable(target, str(error))._replace(is_told_elsewhere=True)
            except StoreUnavailable as error:
                # Of a server that is away, this raises: then nothing is known of the object.
                self._minio.ping()
                fault = str(error)
            else:
                told = (found.sha256, found.size, found.etag, found.modified)
                return Reading(target.bucket, target.object_path, *told, fault=None)
        return _unreadable(target, fault)

    def _absent(self, target: Target) -> Reading:
        """Gone meanwhile, unless it is still listed: then the server has lost its content."""
        names = self._minio.list(target.bucket, target.object_path)
        if any(name.path == target.object_path for name in names):
            return _unreadable(target, "It is listed, and the server says that it is not there.")
        return _unreadable(target, "gone")._replace(is_told_elsewhere=True)


def _unreadable(target: Target, fault: str) -> Reading:
    return Reading(
        target.bucket, target.object_path, None, None, target.etag, target.modified_at, fault
    )
