"""The first role and database of a fresh PostgreSQL, and a short question to a running one."""

from typing import LiteralString

from psycopg import sql

from storage.postgres.connection import PgConnection
from storage.postgres.deadline import connect
from storage.postgres.errors import translated

_SECONDS = 10.0
#: An agent that held the lock of evaluation passes, or of migrations, would stop them for all.
_KEEP_AGENTS_OFF_LOCKS = """
DO $$
DECLARE
    lock regprocedure;
BEGIN
    FOR lock IN SELECT oid FROM pg_proc WHERE proname ~ '^pg_(try_)?advisory_(xact_)?lock' LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {role} WITH GRANT OPTION', lock);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', lock);
    END LOOP;
END
$$
"""


def ensure_database(superuser_url: str, *, role: str, password: str, database: str) -> None:
    """Make a server have this role, with this password, and a database that it owns.

    Raises:
        StoreUnavailable: when it does not answer (yet).
        AccessDenied: when it does not accept the superuser.
    """
    with translated(), connect(superuser_url, _SECONDS, autocommit=True) as connection:
        _ensure_role(connection, role, password)
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(database), sql.Identifier(role)
                )
            )
        _keep_others_out(connection, database)
    # What is copied from the template later has it, too.
    for each in ("template1", database):
        with translated(), connect(superuser_url, _SECONDS, dbname=each) as connection:
            statement = sql.SQL(_KEEP_AGENTS_OFF_LOCKS).format(role=sql.Identifier(role))
            connection.execute(statement)


def server_version(url: str, seconds: float) -> str:
    """The version of a server that accepts this URL's role.

    Raises:
        StorageError: when it does not answer in time, or refuses us.
    """
    with translated(), connect(url, seconds) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).partition(" ")[0] if row else "unknown"


def _ensure_role(connection: PgConnection, role: str, password: str) -> None:
    if _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
        return
    # No superuser: row security must hold for the owner, too. It provisions agents' roles.
    statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _keep_others_out(connection: PgConnection, database: str) -> None:
    statement = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC")
    connection.execute(statement.format(sql.Identifier(database)))


def _exists(connection: PgConnection, question: LiteralString, name: str) -> bool:
    return connection.execute(question, [name]).fetchone() is not None
