"""Reading a PostgreSQL URL without ever repeating it."""

import os
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from storage.errors import SettingsError

#: What a URL may override: a dead peer is noticed within about half a minute.
_DEFAULTS: dict[str, Any] = {
    "application_name": "agentruns",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_MALFORMED = (
    "POSTGRES_URL is malformed: write postgresql://user:password@host:port/database, "
    "with special characters of the password percent-encoded."
)


def parameters(url: str, statement_seconds: float) -> dict[str, Any]:
    """The connection parameters of a URL, with our defaults and session settings.

    Raises:
        SettingsError: when it is malformed.
    """
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        # The driver's message repeats the URL, password included: it may not even be chained.
        raise SettingsError(_MALFORMED) from None
    if _torn(given):
        raise SettingsError(_MALFORMED)
    if given.get("sslrootcert") == "system":
        # The driver brings a library of its own, which does not know where the machine's are.
        given["sslrootcert"] = os.environ.get("SSL_CERT_FILE") or certifi.where()
    options = f"{given.get('options') or ''} {_session_settings(statement_seconds)}".strip()
    return {**_DEFAULTS, **given, "options": options}


def with_login(url: str, role: str, password: str) -> str:
    """The same database for another role."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{login}@{place}").geturl()


def _torn(given: dict[str, Any]) -> bool:
    # A password with a bare '@' or '/' ends up in the host, port or database that errors name.
    port = given.get("port") or "5432"
    names = f"{given.get('host') or ''}{given.get('dbname') or ''}"
    return "@" in names or not all(part.isdigit() for part in str(port).split(","))


def _session_settings(statement_seconds: float) -> str:
    milliseconds = int(statement_seconds * 1000)
    settings = {
        "timezone": "UTC",
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": max(milliseconds, 60_000),
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
