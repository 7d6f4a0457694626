"""Asking MinIO how it is."""

from minio import Minio

from agentruns.models import Bucket
from storage.errors import StorageError
from storage.minio.errors import translated


def probe(client: Minio, address: str) -> str:
    """What can be said of the object store when it is well.

    Raises:
        StorageError: when it is away, refuses the key, or lacks its buckets.
    """
    with translated(address):
        # Every key that we give out may ask this, and none but the operator's may list.
        there = client.bucket_exists(Bucket.SCREENSHOTS.value)
    if not there:
        raise StorageError(
            f"MinIO at {address} runs but has no bucket 'screenshots'; 'agentruns up' makes it."
        )
    return f"MinIO at {address}"
