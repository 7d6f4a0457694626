"""The objects of tasks, listed in the store."""

from collections import OrderedDict
from threading import Lock
from uuid import UUID

from storage.minio import MinIOAdapter

#: Path to size and ETag.
Listed = dict[str, tuple[int, str]]

#: What an import makes has ids of this version, and belongs to one item.
_IMPORTED = 5
_MOST_KEPT = 4


class Listings:
    """Lists the objects of an agent's tasks; of a live one, which many items may share, once."""

    def __init__(self, minio: MinIOAdapter, agent_id: str) -> None:
        self._minio = minio
        self._agent_id = agent_id
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, UUID], Listed] = OrderedDict()

    def of(self, bucket: str, task_id: UUID) -> Listed:
        """Size and ETag of every object of a task in a bucket."""
        if task_id.version == _IMPORTED:
            return self._listed(bucket, task_id)
        # Whoever asks for the same meanwhile waits for it.
        with self._lock:
            key = (bucket, task_id)
            if key not in self._kept:
                self._kept[key] = self._listed(bucket, task_id)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _listed(self, bucket: str, task_id: UUID) -> Listed:
        found = self._minio.list(bucket, f"{self._agent_id}/{task_id}/")
        return {info.path: (info.size, info.etag) for info in found}
