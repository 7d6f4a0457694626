"""The named queries of `storage/sql/queries`."""

from typing import LiteralString, cast

import aiosql

from storage.postgres.revisions import SQL

FOLDER = SQL / "queries"

_QUERIES = aiosql.from_path(FOLDER, "psycopg", mandatory_parameters=False)

#: The name of every query.
NAMES = tuple(name for name in _QUERIES.available_queries if not name.endswith("_cursor"))


def query(name: str) -> LiteralString:
    """The text of a named query, with `%(name)s` for its parameters."""
    # We wrote the files, so they are as safe as literals in the code.
    return cast(LiteralString, getattr(_QUERIES, name).sql)
