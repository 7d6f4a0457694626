"""A bucket of somebody else's, read with a key of its own: the source of a migration."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

from storage.errors import RecordNotFound, SettingsError, StorageError
from storage.minio.clients import pool
from storage.minio.names import NamesPage, every_name, names
from storage.minio.objects import ObjectInfo
from storage.minio.source_errors import told
from storage.retries import retried
from storage.settings import Settings

_PIECE = 2**20
_SECOND = 1_000_000_000


class SourceObject(NamedTuple):
    """One version of an object."""

    name: str
    size: int
    modified_ns: int
    """When it was written, to the second, and below that what tells two ETags apart."""
    etag: str


class SourceBucket:
    """Lists, reads and, where its key may, moves objects."""

    def __init__(self, settings: Settings, bucket: str) -> None:
        if missing := settings.missing_for_source():
            raise SettingsError(
                f"{' and '.join(missing)} not set: an S3 prefix is read with a key of its own; "
                "set the address and the key of the server that has it, each as it is or as "
                "NAME_FILE, a file that holds it."
            )
        self.bucket = bucket
        self.address = str(settings.agentruns_source_s3_endpoint)
        self._client = _client(settings)

    def list(self, prefix: str) -> Iterator[SourceObject]:
        """Every object whose name begins like this, in the order of names, page by page.

        Raises:
            StorageError: when the server gives names that were not asked for, or out of order.
        """
        last = ""
        for info in every_name(lambda token: self._page(prefix, token)):
            if not info.path.startswith(prefix) or last >= info.path:
                raise StorageError(
                    f"The S3 server at {self.address} lists names out of order or beyond "
                    f"{prefix!r}, so that nobody can tell what was seen; it cannot be a source."
                )
            last = info.path
            yield _of_listing(info)

    @retried
    def is_empty(self, prefix: str) -> bool:
        """Whether no object's name begins like this; one request."""
        with self._told():
            return (
                next(self._client.list_objects(self.bucket, prefix, recursive=True), None) is None
            )

    @retried
    def stat(self, name: str) -> SourceObject:
        """What is known of an object.

        Raises:
            RecordNotFound: when it is gone.
        """
        with self._told():
            found = self._client.stat_object(self.bucket, name)
            return _version(name, found.size or 0, found.last_modified, found.etag)

    @contextmanager
    def opened(
        self, name: str, length: int | None = None
    ) -> Iterator[tuple[SourceObject, Iterator[bytes]]]:
        """An object's version and its bytes, or the first of them, as they are stored.

        Raises:
            RecordNotFound: when it is gone.
        """
        with self._told():
            response = self._client.get_object(self.bucket, name, length=length or 0)
            try:
                # Not unpacked, whatever encoding somebody once wrote beside it.
                yield (
                    _of_answer(name, response.headers),
                    response.stream(_PIECE, decode_content=False),
                )
            finally:
                response.close()
                response.release_conn()

    @retried
    def move(self, name: str, target: str, sha256: str) -> bool:
        """Move an object if it still has this hash, seen to be there before it goes here.

        S3 has no renaming: between the last look and the removal lies one request.
        """
        try:
            version = self._if_equal(name, sha256)
            if version is None or not self._copy(version, target):
                return False
            if self.stat(name).etag != version.etag:
                return False
        except RecordNotFound:
            return False
        with self._told():
            self._client.remove_object(self.bucket, name)
        return True

    def _if_equal(self, name: str, sha256: str) -> SourceObject | None:
        digest = hashlib.sha256()
        with self.opened(name) as (version, pieces):
            for piece in pieces:
                digest.update(piece)
        return version if digest.hexdigest() == sha256 else None

    def _copy(self, version: SourceObject, target: str) -> bool:
        source = CopySource(self.bucket, version.name, match_etag=version.etag)
        try:
            with self._told():
                self._client.copy_object(self.bucket, target, source)
        except StorageError as error:
            if isinstance(error.__cause__, S3Error) and error.__cause__.code == _CHANGED:
                return False
            raise
        return self.stat(target).size == version.size

    @retried
    def _page(self, prefix: str, token: str | None) -> NamesPage:
        with self._told():
            return names(self._client, self.bucket, prefix, token=token)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(self.address, self.bucket):
            yield


_CHANGED = "PreconditionFailed"


def _client(settings: Settings) -> Minio:
    return Minio(
        settings.required("agentruns_source_s3_endpoint"),
        access_key=settings.required("agentruns_source_s3_access_key"),
        secret_key=settings.required("agentruns_source_s3_secret_key"),
        secure=settings.agentruns_source_s3_secure,
        region=settings.agentruns_source_s3_region,
        http_client=pool(settings.agentruns_source_s3_ca_file),
    )


def _of_listing(info: ObjectInfo) -> SourceObject:
    return _version(info.path, info.size, info.modified, info.etag)


def _of_answer(name: str, headers: Mapping[str, str]) -> SourceObject:
    try:
        size = int(headers.get("Content-Range", "").rpartition("/")[2] or headers["Content-Length"])
        modified = parsedate_to_datetime(headers["Last-Modified"])
    except (KeyError, ValueError, TypeError):
        raise StorageError(
            "The source's server does not say how long an object is and when it was written, "
            "as S3 does; it cannot be a source."
        ) from None
    return _version(name, size, modified, headers.get("ETag"))


def _version(name: str, size: int, modified: datetime | None, etag: str | None) -> SourceObject:
    plain = (etag or "").strip('"')
    seconds = int((modified or datetime.fromtimestamp(0, UTC)).timestamp())
    # Answers tell whole seconds; two versions of one second differ in their ETags.
    mark = int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8]) % _SECOND
    return SourceObject(name, size, seconds * _SECOND + mark, plain)
