"""Objects as a repair handles them: looked at byte by byte, copied, and taken aside, never lost."""

import hashlib
from contextlib import closing
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

from agentruns.models import Bucket
from storage.errors import StorageError, StoreUnavailable
from storage.minio.buckets import QUARANTINE, make_bucket
from storage.minio.clients import client
from storage.minio.content import image_extension
from storage.minio.errors import certain_etag, translated
from storage.minio.marking import checked
from storage.minio.objects import details
from storage.retries import retried
from storage.settings import Settings

_CHUNK = 2**20
_HEAD = 16
#: There is no such object, or no object can have such a name.
_NOT_THERE = frozenset(
    {"NoSuchKey", "NoSuchBucket", "XMinioInvalidObjectName", "KeyTooLongError", "MethodNotAllowed"}
)
_UNREADABLE = "The server lists the object and cannot give it; its disk is damaged."


class UnreadableObjectError(StorageError):
    """An object is there, and its server cannot give it."""


class Place(NamedTuple):
    """Where an object lies."""

    bucket: str
    path: str


class Content(NamedTuple):
    """What an object holds, every byte of it read."""

    sha256: str
    size: int
    etag: str
    image: str | None
    """The extension of the picture that it begins like."""
    modified: datetime | None
    tags: dict[str, str]


class ObjectKeeper:
    """Reads, copies and takes aside, as the operator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = settings.required("minio_endpoint")

    def look(self, place: Place) -> Content | None:
        """Read an object to its end; None where there is none.

        Raises:
            UnreadableObjectError: when the server has it and cannot give it.
        """
        try:
            found = self._looked(place)
        except StoreUnavailable as error:
            # Of a server that is away, this raises: then nothing is known of the object.
            self._ask()
            raise UnreadableObjectError(_UNREADABLE) from error
        if found is None and self.put_at(place) is not None:
            raise UnreadableObjectError(_UNREADABLE)
        return found

    @retried
    def _ask(self) -> None:
        with translated(self._address):
            self._client.bucket_exists(Bucket.SCREENSHOTS.value)

    @retried
    def _looked(self, place: Place) -> Content | None:
        with translated(self._address):
            try:
                return self._read(place)
            except S3Error as error:
                if error.code not in _NOT_THERE:
                    raise
                return None

    @retried
    def put_at(self, place: Place) -> datetime | None:
        """When an object was put, to the millisecond, as only a listing tells it."""
        with translated(self._address):
            try:
                found = next(self._client.list_objects(*place, recursive=True), None)
            except S3Error as error:
                if error.code not in _NOT_THERE:
                    raise
                return None
        return found.last_modified if found and found.object_name == place.path else None

    @retried
    def etag(self, place: Place) -> str | None:
        """By which content is told from content; None where there is none."""
        with translated(self._address):
            try:
                return details(self._client, *place).info.etag
            except S3Error as error:
                if error.code not in _NOT_THERE:
                    raise
                return None

    @retried
    def copy(self, source: Place, target: Place, etag: str) -> None:
        """Copy an object that is as it was, with what is told of it, inside the store.

        Raises:
            StorageError: when it is another by now.
        """
        with translated(self._address):
            if target.bucket == QUARANTINE:
                # Stores from before it was there.
                make_bucket(self._client, QUARANTINE)
            self._client.copy_object(
                *target, CopySource(source.bucket, source.path, match_etag=etag)
            )

    @retried
    def remove(self, place: Place, etag: str) -> bool:
        """Remove an object whose bytes are kept elsewhere; False when it is another by now."""
        known = self.etag(place)
        if known is not None and known != etag:
            return False
        with translated(self._address):
            self._client.remove_object(*place)
        return True

    def _read(self, place: Place) -> Content:
        found = details(self._client, *place)
        digest, size, head = hashlib.sha256(), 0, b""
        with closing(self._client.get_object(*place)) as response:
            etag = certain_etag(response.headers.get("etag")).strip('"')
            for piece in response.stream(_CHUNK):
                head = head or piece[:_HEAD]
                digest.update(piece)
                size += len(piece)
        image = image_extension(head)
        return Content(digest.hexdigest(), size, etag, image, found.info.modified, found.tags)

    @cached_property
    def _client(self) -> Minio:
        return checked(client(self._settings), self._settings)
