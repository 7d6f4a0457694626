"""MinIO's marker of the environment: one object, which everybody gets and the operator puts."""

import json
from contextlib import closing
from io import BytesIO

from minio import Minio
from minio.error import S3Error

from storage.marker import Marker, guard_of, told
from storage.minio.buckets import make_bucket
from storage.minio.clients import client
from storage.minio.errors import certain_etag, translated
from storage.settings import Settings

#: A bucket of its own, so that no listing of what agents stored shows it.
BUCKET = "agentruns"
OBJECT = "environment.json"

#: Where nobody marked the store, and where this key may not know.
_NO_ANSWER = frozenset({"NoSuchKey", "NoSuchBucket", "AccessDenied"})
_MOST_BYTES = 4096


def marker_of(connected: Minio, address: str) -> Marker | None:
    """What an object store says of itself; None where it is not marked, or this key may not know.

    A key from before there were markers may not; it goes on as it did.
    """
    try:
        with closing(connected.get_object(BUCKET, OBJECT)) as answer:
            certain_etag(answer.headers.get("etag"))
            content = answer.read(_MOST_BYTES)
    except S3Error as error:
        if error.code not in _NO_ANSWER:
            raise
        return None
    return told(f"MinIO at {address}", _json(content))


def checked(connected: Minio, settings: Settings) -> Minio:
    """The same client, once its store has said that it belongs to our environment.

    Raises:
        AnotherEnvironment: when it belongs to another one.
    """
    address = settings.required("minio_endpoint")
    with translated(address):
        marker = marker_of(connected, address)
    guard_of(settings).check(f"MinIO at {address}", marker)
    return connected


class MarkedMinio:
    """The marker in one object store, as its administrator, or to be read as anybody."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.required("minio_endpoint")
        self.name = f"MinIO at {self._address}"
        self._client = client(settings)

    def read(self) -> Marker | None:
        """What it says; None before it is marked."""
        with translated(self._address):
            return marker_of(self._client, self._address)

    def keep(self, marker: Marker) -> None:
        """Mark it, unless it is marked."""
        if self.read() is None:
            self.rename(marker)

    def rename(self, marker: Marker) -> None:
        """Let it belong to the marker's environment, marked or not."""
        content = marker.model_dump_json().encode()
        with translated(self._address):
            make_bucket(self._client, BUCKET)
            self._client.put_object(
                BUCKET, OBJECT, BytesIO(content), len(content), content_type="application/json"
            )


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None
