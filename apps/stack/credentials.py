"""The passwords of one home: random, made once."""

import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.files import read_mapping, write_mapping

#: What homes that were made before do not have yet; each is made up.
ADDED = frozenset(
    {
        "mongodb_evaluator_password",
        "minio_frontend_access_key",
        "minio_frontend_secret_key",
        "postgres_operator_password",
        "postgres_evaluator_password",
        "postgres_frontend_password",
    }
)


def _secret() -> str:
    # Hexadecimal needs no quoting in a URL, a shell or a configuration file.
    return secrets.token_hex(20)


def _access_key() -> str:
    # MinIO takes no longer one.
    return secrets.token_hex(10)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens the local servers."""

    mongodb_password: str = field(default_factory=_secret)
    mongodb_evaluator_password: str = field(default_factory=_secret)
    postgres_password: str = field(default_factory=_secret)
    postgres_superuser_password: str = field(default_factory=_secret)
    postgres_operator_password: str = field(default_factory=_secret)
    postgres_evaluator_password: str = field(default_factory=_secret)
    postgres_frontend_password: str = field(default_factory=_secret)
    minio_access_key: str = field(default_factory=_secret)
    minio_secret_key: str = field(default_factory=_secret)
    minio_frontend_access_key: str = field(default_factory=_access_key)
    minio_frontend_secret_key: str = field(default_factory=_secret)
    prefect_password: str = field(default_factory=_secret)

    @property
    def prefect_auth(self) -> str:
        """What Prefect's API and its pages ask for."""
        return f"agentruns:{self.prefect_password}"


def read_credentials(path: Path) -> Credentials | None:
    """The credentials of a home that was started before; what it lacks is new each time."""
    found = read_mapping(path)
    if found is None:
        return None
    names = {each.name for each in fields(Credentials)}
    if not names - ADDED <= found.keys() <= names:
        raise StackError(
            f"{path} is damaged: restore it, or delete all data with 'agentruns reset'"
        )
    return Credentials(**{name: str(value) for name, value in found.items()})


def kept_credentials(path: Path) -> Credentials:
    """The credentials of a home, completed and kept; made when it has none."""
    known = read_credentials(path) or Credentials()
    if read_mapping(path) != asdict(known):
        write_mapping(path, asdict(known))
    return known
