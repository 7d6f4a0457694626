"""Where things are kept: one adapter a store, one writer for all of them.

`from storage import MongoAdapter` imports the driver of MongoDB and no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.errors import (
        AccessDenied,
        RecordNotFound,
        RecordRejected,
        SchemaMismatch,
        SettingsError,
        StorageError,
        StoreUnavailable,
    )
    from storage.minio import MinIOAdapter
    from storage.mongo import MongoAdapter
    from storage.postgres.adapter import PostgresAdapter
    from storage.rejection import Rejection
    from storage.settings import Settings, load_settings
    from storage.stores import Stores, shared_stores
    from storage.writer import RecordWriter, Written

_HOMES = {
    "AccessDenied": "errors",
    "MinIOAdapter": "minio",
    "MongoAdapter": "mongo",
    "PostgresAdapter": "postgres.adapter",
    "RecordNotFound": "errors",
    "RecordRejected": "errors",
    "RecordWriter": "writer",
    "Rejection": "rejection",
    "SchemaMismatch": "errors",
    "Settings": "settings",
    "SettingsError": "errors",
    "StorageError": "errors",
    "StoreUnavailable": "errors",
    "Stores": "stores",
    "Written": "writer",
    "load_settings": "settings",
    "shared_stores": "stores",
}

__all__ = [
    "AccessDenied",
    "MinIOAdapter",
    "MongoAdapter",
    "PostgresAdapter",
    "RecordNotFound",
    "RecordRejected",
    "RecordWriter",
    "Rejection",
    "SchemaMismatch",
    "Settings",
    "SettingsError",
    "StorageError",
    "StoreUnavailable",
    "Stores",
    "Written",
    "load_settings",
    "shared_stores",
]


def __getattr__(name: str) -> Any:
    # Late, because the three drivers together take half a second to import.
    if name not in _HOMES:
        raise AttributeError(f"module 'storage' has no attribute {name!r}")
    return getattr(import_module(f"storage.{_HOMES[name]}"), name)
