"""Objects that go for good, with every version of them, however many there are."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from minio import Minio
from minio.deleteobjects import DeleteObject

from storage.errors import StorageError
from storage.minio.buckets import QUARANTINE
from storage.minio.clients import client
from storage.minio.errors import translated
from storage.minio.marking import checked
from storage.retries import retried
from storage.settings import Settings

#: As many as the server lists and removes at once.
_PAGE = 1000


class Version(NamedTuple):
    """One version of an object; where versioning never was on, the only one."""

    path: str
    version_id: str | None


class ObjectRemover:
    """Lists and removes objects below a prefix, as the operator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = settings.required("minio_endpoint")

    def versions(self, bucket: str, prefix: str) -> Iterator[Sequence[Version]]:
        """Every version of every object whose name begins like this, also what marks it deleted.

        Raises:
            StoreUnavailable: when the server is away; begin again.
        """
        with translated(self._address):
            if bucket == QUARANTINE and not self._client.bucket_exists(bucket):
                return
            found = self._client.list_objects(
                str(bucket), prefix, recursive=True, include_version=True
            )
            while page := list(islice(found, _PAGE)):
                yield [Version(item.object_name or "", item.version_id) for item in page]

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """The folders right below a prefix, each with its slash."""
        with translated(self._address):
            if bucket == QUARANTINE and not self._client.bucket_exists(bucket):
                return
            for item in self._client.list_objects(str(bucket), prefix):
                if item.is_dir and item.object_name:
                    yield item.object_name

    def folders_in(self, bucket: str, prefix: str, range_: Sequence[str]) -> Iterator[str]:
        """The folders right below a prefix that lie between the first and the last of some."""
        with translated(self._address):
            # What is named like the folder without its slash comes before it.
            begin = range_[0].removesuffix("/")
            for item in self._client.list_objects(str(bucket), prefix, start_after=begin):
                if item.object_name and item.object_name > range_[-1]:
                    return
                if item.is_dir and item.object_name:
                    yield item.object_name

    @retried
    def remove(self, bucket: str, versions: Sequence[Version]) -> None:
        """Remove these versions; one that is not there is removed already.

        Raises:
            StorageError: when the server keeps one of them.
        """
        with translated(self._address):
            some = [DeleteObject(version.path, version.version_id) for version in versions]
            kept = list(self._client.remove_objects(str(bucket), some)) if some else []
        if kept:
            raise StorageError(
                f"MinIO at {self._address} keeps {len(kept)} objects in {bucket} ({kept[0].code}): "
                "see whether a lock or a policy holds them."
            )

    @cached_property
    def _client(self) -> Minio:
        return checked(client(self._settings), self._settings)
