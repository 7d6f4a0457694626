"""Asking MinIO how it is."""

from minio import Minio
from minio.error import S3Error

from agentruns.models import Bucket
from storage.errors import StorageError
from storage.minio.errors import translated

_BUCKET = Bucket.SCREENSHOTS.value


def probe(client: Minio, address: str) -> str:
    """What can be said of the object store when it is well.

    Raises:
        StorageError: when it is away, refuses the key, or lacks its buckets.
    """
    with translated(address):
        if not _there(client):
            raise StorageError(
                f"MinIO at {address} runs but has no bucket '{_BUCKET}'; 'agentruns up' makes it."
            )
    return f"MinIO at {address}"


def _there(client: Minio) -> bool:
    try:
        # First, because an answer to it has a body that tells what is wrong.
        next(client.list_objects(_BUCKET), None)
    except S3Error as error:
        if error.code not in {"AccessDenied", "NoSuchBucket"}:
            raise
        # Only the operator may list; this every key may that has not been taken back.
        return client.bucket_exists(_BUCKET)
    return True
