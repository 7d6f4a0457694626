"""The stores as their drivers know them, with nothing of ours in between."""

from typing import Any

from minio import Minio
from pymongo import MongoClient

from storage.settings import Settings


def raw_minio(settings: Settings) -> Minio:
    """The SDK's client."""
    return Minio(
        settings.required("minio_endpoint"),
        access_key=settings.required("minio_access_key"),
        secret_key=settings.required("minio_secret_key"),
        secure=False,
        region=settings.minio_region,
    )


def raw_mongo(settings: Settings) -> MongoClient[dict[str, Any]]:
    """The driver's client."""
    return MongoClient(settings.required("mongodb_url"), uuidRepresentation="standard")
