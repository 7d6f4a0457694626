"""Which schema this code knows, and whether a database has it."""

from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from storage.errors import SchemaMismatch

SQL = Path(__file__).parent.parent / "sql"
#: Every revision in order, with its SQL file.
REVISIONS = {file.name[:4]: file for file in sorted((SQL / "revisions").glob("*.sql"))}
#: The revision that this code is written for.
HEAD = max(REVISIONS)


def current_revision(connection: Connection[Any]) -> str | None:
    """The revision of a database; None when it has no schema yet."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        known = cursor.execute("SELECT to_regclass('alembic_version')::text").fetchone()
        if known is None:
            return None
        revision: str | None = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        return revision


def refuse_newer(revision: str | None) -> None:
    """Raise where the database is ahead of this code."""
    if revision is not None and revision > HEAD:
        raise SchemaMismatch(
            f"The database has schema {revision}, this agentruns knows up to {HEAD}: "
            "update agentruns."
        )


def refuse_mismatch(revision: str | None) -> None:
    """Raise where the database is ahead of this code or behind it."""
    refuse_newer(revision)
    if revision != HEAD:
        raise SchemaMismatch(
            f"The database has {f'schema {revision}' if revision else 'no schema yet'}, "
            f"this agentruns needs {HEAD}: run 'agentruns up' or 'agentruns deploy' to migrate it."
        )
