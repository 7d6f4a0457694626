"""Asking MinIO how it is."""

from minio import Minio
from minio.error import S3Error

from agentruns.models import Bucket
from storage.errors import StorageError
from storage.minio.errors import translated


def probe(client: Minio, address: str, agent_id: str | None) -> str:
    """What can be said of the object store when it is well.

    Raises:
        StorageError: when it is away, refuses the key, or lacks its buckets.
    """
    prefix = f"{agent_id}/" if agent_id else ""
    with translated(address):
        try:
            next(client.list_objects(Bucket.SCREENSHOTS.value, prefix), None)
        except S3Error as error:
            return _not_listed(error, address)
    return f"MinIO at {address}"


def _not_listed(error: S3Error, address: str) -> str:
    if error.code == "NoSuchBucket":
        raise StorageError(
            f"MinIO at {address} runs but has no bucket 'screenshots'; 'agentruns up' makes it."
        ) from error
    # A wrong key is called otherwise: this one is known, it may just not list.
    if error.code == "AccessDenied":
        return f"MinIO at {address}, with a key that may not list"
    raise error
