"""Where the stores are and who we are to them."""

import io
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agentruns.home import home
from agentruns.models.values import AgentId
from storage.endpoints import HOST, Endpoint, Region
from storage.errors import SettingsError
from storage.source_settings import SourceSettings
from storage.tls import Files, check_readable, secured_mongodb, secured_postgres

#: Naming one of these means: the local servers are not meant, not even for the others.
STORES = frozenset(
    {"MONGODB_URL", "MONGODB_CLUSTERS", "POSTGRES_URL", "POSTGRES_OWNER_URL", "MINIO_ENDPOINT"}
)

_MONGODB = re.compile(
    r"mongodb(\+srv)?://([^:@/?#\[\]]*(:[^:@/?#\[\]]*)?@)?" + HOST + r"(,[^/?@]+)*([/?].*)?"
)
_POSTGRES = re.compile(r"postgres(ql)?://.*")


def _url_like(pattern: re.Pattern[str], example: str) -> AfterValidator:
    """Refuse at the start what a driver would refuse with the first record."""

    def check(value: SecretStr) -> SecretStr:
        if not pattern.fullmatch(value.get_secret_value()):
            raise ValueError(
                f"it must look like {example}, special characters of the password as %XX"
            )
        return value

    return AfterValidator(check)


def _parsed(value: Any) -> Any:
    with suppress(ValueError):
        value = json.loads(value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        raise ValueError('it must be a JSON object such as {"browser-*": "mongodb://..."}')  # noqa: TRY004 - pydantic catches it
    return value


Environment = Literal["dev", "staging", "prod"]
MongoUrl = Annotated[SecretStr, _url_like(_MONGODB, "mongodb://user:password@host:27017")]
PostgresUrl = Annotated[
    SecretStr, _url_like(_POSTGRES, "postgresql://user:password@host:5432/database")
]


class Settings(SourceSettings):
    """Addresses and credentials of the three stores, and of a source beside them."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    mongodb_url: MongoUrl | None = None
    # NoDecode: what pydantic-settings says of broken JSON names no setting that a user knows.
    mongodb_clusters: Annotated[dict[str, MongoUrl], NoDecode, BeforeValidator(_parsed)] = Field(
        default_factory=dict
    )
    """Agent pattern (`browser-*`) to URL; the first match counts, `mongodb_url` is for the rest."""
    postgres_url: PostgresUrl | None = None
    postgres_owner_url: PostgresUrl | None = None
    """The owner of the tables, whom row security hides every row from: for migrations only."""
    postgres_ca_file: Path | None = None
    """Who signs the server's certificate, where the machine's own authorities do not."""
    postgres_certificate_file: Path | None = None
    postgres_key_file: Path | None = None
    mongodb_ca_file: Path | None = None
    mongodb_certificate_file: Path | None = None
    """A client's certificate and its key in one file."""
    minio_ca_file: Path | None = None
    minio_endpoint: Endpoint | None = None
    minio_access_key: SecretStr | None = None
    minio_secret_key: SecretStr | None = None
    minio_signing_access_key: SecretStr | None = None
    """The key that signs URLs, which show it; it should be able to read screenshots only."""
    minio_signing_secret_key: SecretStr | None = None
    minio_secure: bool = True
    minio_region: Region = "us-east-1"
    minio_public_endpoint: Endpoint | None = None
    """The address that browsers reach; presigned URLs are signed for it."""
    minio_public_secure: bool | None = None
    """Whether browsers reach it by https; as `minio_secure` when not set."""
    agent_id: AgentId | None = None
    agentruns_environment: Environment = "dev"
    """Stores that are marked as another one's are not opened."""
    agentruns_installation: UUID | None = None
    """The stores that an agent's key was made for; its env file says so."""
    agentruns_provision: bool | None = None
    """Whether an agent is let in by its first record; in `dev` only when not set."""

    agentruns_append_only: bool = False
    """Whether agents are let in as append-only where nobody says otherwise."""

    agentruns_checks: Path | None = None
    """A folder with checks of one's own, which are asked together with ours."""

    @property
    def provisions(self) -> bool:
        """Whether an agent that nobody let in gets a key with its first record."""
        if self.agentruns_provision is None:
            return self.agentruns_environment == "dev"
        return self.agentruns_provision

    @property
    def public_secure(self) -> bool:
        """Whether presigned URLs begin with https."""
        return self.minio_secure if self.minio_public_secure is None else self.minio_public_secure

    @property
    def signing_key(self) -> str:
        """The key that signs URLs: the frontend's, else our own."""
        return self.required(f"minio_{self._signing}access_key")

    @property
    def signing_secret(self) -> str:
        """The secret of `signing_key`."""
        return self.required(f"minio_{self._signing}secret_key")

    @property
    def _signing(self) -> str:
        # One of the two names both, so that the key and the secret cannot be those of two users.
        own = self.minio_signing_access_key or self.minio_signing_secret_key
        return "signing_" if own else ""

    def required(self, name: str) -> str:
        """The value of a setting that the caller cannot do without.

        Raises:
            SettingsError: when it is not set.
        """
        value = getattr(self, name)
        if value is None:
            raise SettingsError(
                f"{name.upper()} is not set: set it, or start the local stack with 'agentruns up'."
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def load_settings() -> Settings:
    """The settings of this process: the environment, then `NAME_FILE`s, an env file, the stack.

    Raises:
        SettingsError: when one is malformed; the message names it and hides its value.
    """
    try:
        return _secured(Settings(_env_file=env_files(), **_secrets_in_files()))
    except ValidationError as error:
        raise _malformed(error) from None
    except ValueError as error:
        raise SettingsError(f"a setting is malformed: {error}") from None


def component_settings(component: str) -> Settings:
    """The settings of one component (`evaluator`, `frontend`) that works in this process.

    AGENTRUNS_EVALUATOR_ENV_FILE names its env file; the local servers leave one in the home. A
    process that was given its stores by name is the component itself.

    Raises:
        SettingsError: when the file cannot be read, or a setting in it is malformed.
    """
    if chosen := os.environ.get(f"AGENTRUNS_{component.upper()}_ENV_FILE"):
        return settings_in(Path(chosen))
    file = home() / f"{component}.env"
    return settings_in(file) if stack_file() in env_files() and file.exists() else load_settings()


_NAMES = frozenset(Settings.model_fields)


class _OnlyTold(Settings):
    """Settings that the environment has no say in."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is handed over, and neither the environment nor a file."""
        return (named["init_settings"],)


def settings_from(values: Mapping[str, str]) -> Settings:
    """The settings among these values, by their names in the environment, and nothing else.

    Raises:
        SettingsError: when one is malformed.
    """
    own = {name.lower(): value for name, value in values.items() if value}
    try:
        told = {name: own[name] for name in own if name in _NAMES}
        return _secured(_OnlyTold.model_validate(told))
    except ValidationError as error:
        raise _malformed(error) from None


def settings_in(file: Path) -> Settings:
    """The settings in an env file, and nothing else.

    Raises:
        SettingsError: when it cannot be read, or a setting in it is malformed.
    """
    try:
        told = dotenv_values(stream=io.StringIO(file.read_text()))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from None
    return settings_from({name: value for name, value in told.items() if value})


def _secured(settings: Settings) -> Settings:
    """The same with what TLS takes in its URLs."""
    check_readable("MINIO_CA_FILE", settings.minio_ca_file)
    if settings.minio_ca_file and not settings.minio_secure:
        raise SettingsError("MINIO_SECURE=false takes no MINIO_CA_FILE: leave one of them out.")
    check_readable("AGENTRUNS_SOURCE_S3_CA_FILE", settings.agentruns_source_s3_ca_file)
    postgres = Files(
        "POSTGRES",
        settings.postgres_ca_file,
        settings.postgres_certificate_file,
        settings.postgres_key_file,
    )
    mongodb = Files("MONGODB", settings.mongodb_ca_file, settings.mongodb_certificate_file)
    urls: dict[str, Any] = {}
    for name in ("postgres_url", "postgres_owner_url"):
        if url := getattr(settings, name):
            urls[name] = SecretStr(secured_postgres(url.get_secret_value(), postgres))
    if settings.mongodb_url:
        url = settings.mongodb_url.get_secret_value()
        urls["mongodb_url"] = SecretStr(secured_mongodb(url, mongodb))
    urls["mongodb_clusters"] = {
        agents: SecretStr(secured_mongodb(url.get_secret_value(), mongodb))
        for agents, url in settings.mongodb_clusters.items()
    }
    return settings.model_copy(update=urls)


def _malformed(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]).upper()
    return SettingsError(f"{name} is malformed: {first['msg'].removeprefix('Value error, ')}.")


def stack_file() -> Path:
    """The env file (0600) that the local servers leave for those who use them."""
    return home() / "stack.env"


def env_files() -> tuple[Path, ...]:
    """The env files that count in this process, later ones before earlier ones.

    Raises:
        SettingsError: when one was chosen that cannot be read.
    """
    own = _own_env_file()
    given = [name for name, value in (os.environ | dotenv_values(own)).items() if value]
    named = {name.removesuffix("_FILE") for name in given}
    return (own,) if STORES & named else (stack_file(), own)


def _own_env_file() -> Path:
    chosen = os.environ.get("AGENTRUNS_ENV_FILE")
    # A slip in the name must not lead to other stores than were meant.
    if chosen and not (Path(chosen).is_file() and os.access(chosen, os.R_OK)):
        raise SettingsError(f"AGENTRUNS_ENV_FILE cannot be read: {chosen} is no file of yours.")
    return Path(chosen or ".env")


def _secrets_in_files() -> dict[str, Any]:
    secrets = {}
    given = dotenv_values(_own_env_file()) | os.environ
    for field in Settings.model_fields:
        name = field.upper()
        if (path := given.get(f"{name}_FILE")) and not os.environ.get(name):
            try:
                secrets[field] = Path(path).read_text().strip()
            except OSError as error:
                raise SettingsError(f"{name}_FILE cannot be read: {error.strerror}.") from None
    return secrets
