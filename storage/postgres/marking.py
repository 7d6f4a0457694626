"""PostgreSQL's marker of the environment: a row that everybody reads, the operator writes."""

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from storage.marker import Marker, told
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.queries import query

NAME = "PostgreSQL"


def marker_of(connection: Connection[TupleRow]) -> Marker | None:
    """What a database of our schema says of itself; None before it is marked."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("environment")).fetchone()
    return told(NAME, found) if found else None


class MarkedPostgres:
    """The marker in one database, as its operator or owner, or to be read as anybody."""

    name = NAME

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds

    def read(self) -> Marker | None:
        """What it says; None before it is marked, and before it has our schema."""
        # No transaction: a proxy before the store sees nothing that looks like a write.
        with translated(), connect(self._url, self._seconds, autocommit=True) as connection:
            ((is_there,),) = connection.execute(query("has_environment")).fetchall()
            return marker_of(connection) if is_there else None

    def keep(self, marker: Marker) -> None:
        """Mark it, unless it is marked."""
        self._call(
            "mark_environment", environment=marker.environment, installation=marker.installation
        )

    def rename(self, marker: Marker) -> None:
        """Let it belong to the marker's environment, marked or not."""
        self.keep(marker)
        self._call("rename_environment", environment=marker.environment)

    def _call(self, name: str, **values: object) -> None:
        with translated(), connect(self._url, self._seconds) as connection:
            connection.execute(query(name), values)
