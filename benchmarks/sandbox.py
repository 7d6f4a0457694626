"""A database and agents of a benchmark's own, on the running local servers."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg
import stamina
import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr
from pymongo import MongoClient

from storage import Settings, Stores, load_settings
from storage.postgres.schema import migrate


@contextmanager
def sandbox() -> Iterator[tuple[Stores, str]]:
    """Stores with an empty database, and an agent nobody knows; all of it goes at the end."""
    settings = load_settings()
    name = f"bench_{uuid4().hex[:12]}"
    with _database(settings.required("postgres_owner_url"), name) as owner_url:
        migrate(owner_url)
        _spare_the_owner(owner_url)
        urls = {
            "postgres_url": _in_database(settings.required("postgres_url"), name),
            "postgres_owner_url": owner_url,
        }
        own = settings.model_copy(update={key: SecretStr(url) for key, url in urls.items()})
        with closing(Stores(own)) as stores:
            try:
                yield stores, name
            finally:
                _forget(stores, own, name)


@contextmanager
def _database(server: str, name: str) -> Iterator[str]:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield _in_database(server, name)
        finally:
            # Autovacuum may be in it for a moment, and only a superuser may end its worker.
            for attempt in stamina.retry_context(on=InsufficientPrivilege, attempts=20):
                with attempt:
                    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def _spare_the_owner(owner_url: str) -> None:
    """Let the owner see all rows here: what is raw runs as the owner, past row security."""
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relforcerowsecurity"
        )
        for (table,) in found.fetchall():
            connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY".encode())


def _forget(stores: Stores, settings: Settings, agent_id: str) -> None:
    with MongoClient[dict[str, object]](settings.required("mongodb_url")) as mongo:
        mongo.drop_database(f"agent_{agent_id}")
    client = raw_minio(settings)
    for bucket in ("screenshots", "binaries"):
        found = client.list_objects(bucket, prefix=f"{agent_id}/", recursive=True)
        doomed = (DeleteObject(each.object_name or "") for each in found)
        if failed := list(client.remove_objects(bucket, doomed)):
            raise RuntimeError(f"{len(failed)} objects of {agent_id} could not be deleted")


def raw_minio(settings: Settings) -> Minio:
    """The SDK's client as its own documentation makes it, with room for eight threads."""
    return Minio(
        settings.required("minio_endpoint"),
        access_key=settings.required("minio_access_key"),
        secret_key=settings.required("minio_secret_key"),
        secure=settings.minio_secure,
        region=settings.minio_region,
        http_client=urllib3.PoolManager(maxsize=8),
    )
