"""The first role and database of a fresh PostgreSQL, and a short question to a running one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql

from storage.errors import AccessDenied, StoreUnavailable

_SECONDS = 3


def ensure_database(superuser_url: str, *, role: str, password: str, database: str) -> None:
    """Make a server have this role, with this password, and a database that it owns.

    Raises:
        StoreUnavailable: when it does not answer (yet).
        AccessDenied: when it does not accept the superuser.
    """
    with _connected(superuser_url, _SECONDS) as connection:
        _ensure_role(connection, role, password)
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(database), sql.Identifier(role)
                )
            )
        _keep_others_out(connection, database)


def server_version(url: str, seconds: float) -> str:
    """The version of a server that accepts this URL's role.

    Raises:
        StorageError: when it does not answer in time, or refuses us.
    """
    with _connected(url, seconds) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).partition(" ")[0] if row else "unknown"


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    if _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
        return
    # No superuser: row security must hold for the owner, too. It provisions agents' roles.
    statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _keep_others_out(connection: psycopg.Connection, database: str) -> None:
    statement = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC")
    connection.execute(statement.format(sql.Identifier(database)))


def _exists(connection: psycopg.Connection, question: LiteralString, name: str) -> bool:
    return connection.execute(question, [name]).fetchone() is not None


@contextmanager
def _connected(url: str, seconds: float) -> Iterator[psycopg.Connection]:
    try:
        # psycopg takes whole seconds, two at least; the other deadlines count from there.
        with psycopg.connect(
            url, connect_timeout=max(2, round(seconds)), autocommit=True, tcp_user_timeout=2000
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        if "authentication failed" in str(error):
            raise AccessDenied(f"PostgreSQL refused us: {_first_line(error)}") from None
        raise StoreUnavailable(f"PostgreSQL does not answer: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
