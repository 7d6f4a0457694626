"""The two buckets, and the one beside them for what cannot be explained."""

from minio import Minio
from minio.error import S3Error

from agentruns.models import Bucket
from storage.minio.clients import client
from storage.minio.errors import translated
from storage.settings import Settings

#: Only the operator's key reads it: no policy of anybody else names it.
QUARANTINE = "quarantine"
_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


def make_buckets(settings: Settings) -> None:
    """Make the buckets that are not there yet; needs an administrator's key."""
    connected = client(settings)
    with translated(settings.required("minio_endpoint")):
        for bucket in (*Bucket, QUARANTINE):
            make_bucket(connected, str(bucket))


def make_bucket(connected: Minio, bucket: str) -> None:
    """Make one bucket unless it is there."""
    try:
        connected.make_bucket(bucket)
    except S3Error as error:
        if error.code not in _THERE:
            raise
