"""Making the stores ready for records, and telling others how to reach them."""

from collections.abc import Mapping

from apps.stack.servers.minio import MinioServer
from apps.stack.servers.mongo import MongoServer
from apps.stack.servers.postgres import PostgresServer
from apps.stack.servers.prefect import client_environment
from apps.stack.servers.server import Site
from storage.settings import Settings


def environment_of(site: Site) -> dict[str, str]:
    """What somebody who uses the servers sets, by name."""
    return {
        "MONGODB_URL": MongoServer(site).url,
        "POSTGRES_URL": PostgresServer(site).url,
        "POSTGRES_OWNER_URL": PostgresServer(site).owner_url,
        "MINIO_ENDPOINT": site.address(MinioServer.name),
        "MINIO_ACCESS_KEY": site.credentials.minio_access_key,
        "MINIO_SECRET_KEY": site.credentials.minio_secret_key,
        "MINIO_SECURE": "false",
        **client_environment(site),
    }


def environment_text(site: Site) -> str:
    """The same as an env file."""
    return "".join(f"{name}={value}\n" for name, value in environment_of(site).items())


def open_stores(site: Site) -> None:
    """Bring PostgreSQL's schema and passwords up to date and create MinIO's buckets."""
    from storage.access.postgres import set_passwords  # noqa: PLC0415 - a slow import
    from storage.minio import make_buckets  # noqa: PLC0415 - a slow import
    from storage.postgres.schema import migrate  # noqa: PLC0415 - a slow import

    postgres = PostgresServer(site)
    migrate(postgres.owner_url)
    set_passwords(postgres.owner_url, postgres.passwords)
    make_buckets(_settings(environment_of(site)))


def _settings(environment: Mapping[str, str]) -> Settings:
    # By name, so that nothing in our own environment or folder gets a say.
    own = {name.lower(): value for name, value in environment.items()}
    return Settings.model_validate(
        {name: own[name] for name in own.keys() & Settings.model_fields.keys()}
    )
