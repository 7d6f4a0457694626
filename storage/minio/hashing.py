"""The content of an object, read to its end without keeping it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import NamedTuple

from minio import Minio

from storage.minio.errors import certain_etag
from storage.pace import Pace

_CHUNK = 2**20


class ReadContent(NamedTuple):
    """What an object held when it was read, and which object that was."""

    sha256: str
    size: int
    etag: str
    modified: datetime | None
    """In whole seconds."""


def read_to_end(client: Minio, bucket: str, path: str, pace: Pace | None) -> ReadContent:
    """Read an object piece by piece, no faster than the pace."""
    response = client.get_object(bucket, path)
    with closing(response):
        told = response.headers
        etag, modified = certain_etag(told.get("etag")), told.get("last-modified")
        pieces = response.stream(_CHUNK)
        digest, size = _hashed(pace.paced(pieces) if pace else pieces)
    return ReadContent(
        digest, size, etag.strip('"'), parsedate_to_datetime(modified) if modified else None
    )


def _hashed(pieces: Iterator[bytes]) -> tuple[str, int]:
    digest, size = sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
