"""What a process sets to be one agent to the stores, as an env file or a Kubernetes Secret."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

from dotenv import dotenv_values

from agentruns.home import home
from agentruns.spool.disk import make_folder, write_text
from storage.access.keys import AgentKey
from storage.arguments import checked_agent_id
from storage.mongo.clusters import PREFIX, Clusters
from storage.postgres.address import with_login
from storage.settings import Settings

#: A client's certificate is not another client's.
_OF_CLIENT = frozenset({"sslcert", "sslkey", "sslpassword", "tlsCertificateKeyFile"})


def credentials_file(agent_id: str, folder: Path | None = None) -> Path:
    """Where the credentials of an agent are kept on this machine (0600)."""
    return (folder or home() / "agents") / f"{checked_agent_id(agent_id)}.env"


def environment_of(
    key: AgentKey, settings: Settings, installation: UUID | None = None
) -> dict[str, str]:
    """The stores of these settings as the agent reaches them, with this key, by setting.

    With the installation that they are, the key opens no other stores.
    """
    secret = key.secret.get_secret_value()
    trusted = {"MINIO_CA_FILE": str(settings.minio_ca_file)} if settings.minio_ca_file else {}
    mongodb = Clusters(settings).url(key.agent_id)
    own_database = {"authSource": PREFIX + key.agent_id}
    return {
        "AGENT_ID": key.agent_id,
        "POSTGRES_URL": _as_user(settings.required("postgres_url"), key.key_id, secret, {}),
        "MONGODB_URL": _as_user(mongodb, key.key_id, secret, own_database),
        "MINIO_ENDPOINT": settings.required("minio_endpoint"),
        "MINIO_ACCESS_KEY": key.minio_access_key,
        "MINIO_SECRET_KEY": secret,
        "MINIO_SECURE": str(settings.minio_secure).lower(),
        "MINIO_REGION": settings.minio_region,
        "AGENTRUNS_ENVIRONMENT": settings.agentruns_environment,
        **({"AGENTRUNS_INSTALLATION": str(installation)} if installation else {}),
        **trusted,
    }


def rename_kept(installation: UUID, environment: str, folder: Path | None = None) -> list[str]:
    """Let the keys of an installation that are kept here follow it into another environment."""
    renamed = []
    for file in sorted((folder or home() / "agents").glob("*.env")):
        told = {name: value or "" for name, value in dotenv_values(file, interpolate=False).items()}
        if told.get("AGENTRUNS_INSTALLATION") == str(installation):
            write_credentials(file, told | {"AGENTRUNS_ENVIRONMENT": environment})
            renamed.append(file.stem)
    return renamed


def write_credentials(path: Path, environment: Mapping[str, str]) -> None:
    """Keep them in an env file that nobody else can read, or leave the old one as it was."""
    make_folder(path.parent)
    write_text(path, "".join(f"{name}={value}\n" for name, value in environment.items()))


def write_manifest(path: Path, environment: Mapping[str, str]) -> None:
    """Keep them as the manifest of a Kubernetes Secret in a file that nobody else can read."""
    make_folder(path.parent)
    write_text(path, kubernetes_secret(environment))


def kubernetes_secret(environment: Mapping[str, str]) -> str:
    """The manifest of a Secret for `envFrom`; JSON, which kubectl takes as well as YAML."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"agentruns-{_dns_name(environment['AGENT_ID'])}"},
        "type": "Opaque",
        "stringData": dict(environment),
    }
    return json.dumps(manifest, indent=2) + "\n"


def _dns_name(agent_id: str) -> str:
    """The agent id where Kubernetes takes it; else a name of its own that resembles it."""
    plain = re.sub("[^a-z0-9]+", "-", agent_id).strip("-")
    return plain if plain == agent_id else f"{plain}-{sha256(agent_id.encode()).hexdigest()[:8]}"


def _as_user(url: str, user: str, password: str, options: Mapping[str, str]) -> str:
    """The address of a URL for another user; of its options, who asks is replaced."""
    parts = urlsplit(url)
    about_user = {"user", "password", "authSource", "authMechanism", *_OF_CLIENT}
    kept = {name: value for name, value in parse_qsl(parts.query) if name not in about_user}
    # Spaces as %20: libpq reads no plus sign as one.
    query = urlencode(kept | dict(options), quote_via=quote)
    return with_login(urlunsplit(parts._replace(query=query)), user, password)
