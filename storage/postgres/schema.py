"""Bringing a database to the schema of this code: one SQL file a revision, forward only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from storage.marker import Guard
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.marking import NAME, MarkedPostgres
from storage.postgres.revisions import (
    REVISIONS,
    SQL,
    current_revision,
    refuse_mismatch,
    refuse_newer,
)

#: Any number that nobody else locks: "agentrun" in ASCII.
_LOCK = 0x6167656E7472756E
#: Rebuilding a large table may take its time.
_SECONDS = 3600.0
_CHECK_SECONDS = 10.0


def migrate(url: str, guard: Guard | None = None) -> None:
    """Bring the database to the newest revision; harmless when it is there, or when two try.

    The URL is the owner's: nobody else may change tables, and make roles.

    Raises:
        SchemaMismatch: when the database is newer than this code.
        AnotherEnvironment: when it belongs to others than the guard says.
    """
    if guard:
        guard.check(NAME, MarkedPostgres(url, _CHECK_SECONDS).read())
    with _transaction(url) as connection:
        # Released with the transaction, so that the second of two finds the work done.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        refuse_newer(current_revision(_driver(connection)))
        command.upgrade(_config(connection), "head")
        connection.exec_driver_sql("SELECT let_components_in()")


def check(url: str) -> None:
    """Raise unless the database has exactly the schema that this code knows.

    Raises:
        SchemaMismatch: when it is newer or older.
    """
    with translated(), connect(url, _CHECK_SECONDS) as connection:
        refuse_mismatch(current_revision(connection))


def run_revision(revision: str) -> None:
    """Run the SQL file of a revision; the revisions in `sql/alembic/versions` call it."""
    _driver(op.get_bind()).execute(REVISIONS[revision].read_text())


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, _SECONDS), poolclass=NullPool
    )
    with translated(), _unwrapped_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def _unwrapped_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise (error.orig or error) from None


def _driver(connection: Connection) -> Any:
    # SQLAlchemy's own execute would look for parameters behind colons and percents.
    return connection.connection.driver_connection


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    # No alembic.ini: it would not be in the wheel.
    config.set_main_option("script_location", str(SQL / "alembic").replace("%", "%%"))
    return config
