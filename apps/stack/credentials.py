"""The passwords of one home: random, made once."""

import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.files import read_mapping, write_mapping


def _secret() -> str:
    # Hexadecimal needs no quoting in a URL, a shell or a configuration file.
    return secrets.token_hex(20)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens the local servers."""

    mongodb_password: str = field(default_factory=_secret)
    postgres_password: str = field(default_factory=_secret)
    postgres_superuser_password: str = field(default_factory=_secret)
    minio_access_key: str = field(default_factory=_secret)
    minio_secret_key: str = field(default_factory=_secret)
    prefect_password: str = field(default_factory=_secret)

    @property
    def prefect_auth(self) -> str:
        """What Prefect's API and its pages ask for."""
        return f"agentruns:{self.prefect_password}"


def read_credentials(path: Path) -> Credentials | None:
    """The credentials of a home that was started before."""
    found = read_mapping(path)
    if found is None:
        return None
    if found.keys() != {each.name for each in fields(Credentials)}:
        raise StackError(
            f"{path} is damaged: restore it, or delete all data with 'agentruns reset'"
        )
    return Credentials(**{name: str(value) for name, value in found.items()})


def kept_credentials(path: Path) -> Credentials:
    """The credentials of a home, made when it has none."""
    if (found := read_credentials(path)) is not None:
        return found
    made = Credentials()
    write_mapping(path, asdict(made))
    return made
