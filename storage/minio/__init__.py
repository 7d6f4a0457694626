"""Screenshots and files of the agents, as objects in an S3 store."""

from storage.minio.adapter import MinIOAdapter
from storage.minio.buckets import make_buckets
from storage.minio.objects import ObjectInfo, StoredPath

__all__ = ["MinIOAdapter", "ObjectInfo", "StoredPath", "make_buckets"]
