"""Making the stores ready for records, and telling others how to reach them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from apps.stack.files import write_private
from apps.stack.servers.minio import MinioServer
from apps.stack.servers.mongo import MongoServer
from apps.stack.servers.postgres import PostgresServer
from apps.stack.servers.prefect import client_environment
from apps.stack.servers.server import Site
from storage.settings import settings_from


def environment_of(site: Site) -> dict[str, str]:
    """What the operator sets, by name."""
    return {
        "MONGODB_URL": MongoServer(site).url,
        "POSTGRES_URL": PostgresServer(site).url,
        "POSTGRES_OWNER_URL": PostgresServer(site).owner_url,
        **_minio(site, site.credentials.minio_access_key, site.credentials.minio_secret_key),
        # Signed addresses show their key, so that it has to be one that can only read pictures.
        "MINIO_SIGNING_ACCESS_KEY": site.credentials.minio_frontend_access_key,
        "MINIO_SIGNING_SECRET_KEY": site.credentials.minio_frontend_secret_key,
        **client_environment(site),
        **_which(site),
    }


def evaluator_environment(site: Site) -> dict[str, str]:
    """What the evaluator sets: it reads rows, logs and memories, and writes verdicts."""
    return {
        "MONGODB_URL": MongoServer(site).evaluator_url,
        "POSTGRES_URL": PostgresServer(site).url_of("evaluator"),
        **_which(site),
    }


def frontend_environment(site: Site) -> dict[str, str]:
    """What the frontend sets: it reads summaries, and signs addresses of screenshots."""
    access_key, secret_key = (
        site.credentials.minio_frontend_access_key,
        site.credentials.minio_frontend_secret_key,
    )
    return {
        "POSTGRES_URL": PostgresServer(site).url_of("frontend"),
        **_minio(site, access_key, secret_key),
        **_which(site),
    }


#: What each component sets, by its name.
ENVIRONMENTS: Mapping[str, Callable[[Site], dict[str, str]]] = {
    "operator": environment_of,
    "evaluator": evaluator_environment,
    "frontend": frontend_environment,
}


def publish(site: Site) -> None:
    """Leave an env file (0600) for each component."""
    write_private(site.folders.environment_name, f"{site.environment}\n")
    for component, environment in ENVIRONMENTS.items():
        write_private(site.folders.environment_of(component), _as_text(environment(site)))


def open_stores(site: Site, wanted: str | None = None) -> Site:
    """Bring schema, passwords, buckets and markers up to date; gives the site as it is then.

    Raises:
        AnotherEnvironment: when the stores belong to another environment than the wanted one.
    """
    from storage.access.installation import Installation  # noqa: PLC0415 - a slow import
    from storage.access.minio import MinioAccess  # noqa: PLC0415 - a slow import
    from storage.access.mongo import MongoAccess  # noqa: PLC0415 - a slow import
    from storage.access.postgres import set_passwords  # noqa: PLC0415 - a slow import
    from storage.marker import guard_of  # noqa: PLC0415 - a slow import
    from storage.minio import make_buckets  # noqa: PLC0415 - a slow import
    from storage.postgres.schema import migrate  # noqa: PLC0415 - a slow import

    known = Installation(settings_from(environment_of(site)), as_owner=True).known()
    site = replace(site, environment=wanted or (known.environment if known else site.environment))
    postgres, settings = PostgresServer(site), settings_from(environment_of(site))
    migrate(postgres.owner_url, guard_of(settings))
    set_passwords(postgres.owner_url, postgres.passwords)
    Installation(settings).claim()
    make_buckets(settings)
    credentials = site.credentials
    with MongoAccess(MongoServer(site).url) as mongo:
        mongo.ensure_evaluator(credentials.mongodb_evaluator_password)
    MinioAccess(settings).ensure_frontend(
        credentials.minio_frontend_access_key, credentials.minio_frontend_secret_key
    )
    return site


def _which(site: Site) -> dict[str, str]:
    return {"AGENTRUNS_ENVIRONMENT": site.environment}


def _minio(site: Site, access_key: str, secret_key: str) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": site.address(MinioServer.name),
        "MINIO_ACCESS_KEY": access_key,
        "MINIO_SECRET_KEY": secret_key,
        "MINIO_SECURE": "false",
    }


def _as_text(environment: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in environment.items())
