"""Which schema this code knows, and whether a database has it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from storage.errors import SchemaMismatch

SQL = Path(__file__).parent.parent / "sql"
_FOLLOWS = re.compile(r'^down_revision = "(\d{4})"', re.MULTILINE)


def _in_order(files: Iterable[Path]) -> Iterator[str]:
    """Revisions as they follow each other, which need not be the order of their numbers."""
    texts = ((file.name[:4], _FOLLOWS.search(file.read_text())) for file in files)
    follower = {found[1] if found else None: name for name, found in texts}
    revision = follower.get(None)
    while revision:
        yield revision
        revision = follower.get(revision)


#: Every revision in order, with its SQL file.
REVISIONS = {
    name: next((SQL / "revisions").glob(f"{name}_*.sql"))
    for name in _in_order((SQL / "alembic" / "versions").glob("[0-9]*.py"))
}
#: The revision that this code is written for.
HEAD = list(REVISIONS)[-1]


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
    if revision is not None and revision > max(REVISIONS):
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
