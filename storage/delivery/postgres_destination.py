"""What the lanes that end in PostgreSQL have in common."""

from functools import cached_property
from typing import Any

from storage.delivery.destination import Destination
from storage.postgres import bulk
from storage.postgres.adapter import PostgresAdapter
from storage.retries import retried

#: A batch takes a fraction of a second; after this long the server is given up for now.
SECONDS = 15.0


class PostgresDestination(Destination):
    """PostgreSQL, with connections of the lane's own."""

    def close(self) -> None:
        """Close every connection."""
        if postgres := self.__dict__.pop("_postgres", None):
            postgres.close()

    @cached_property
    def _postgres(self) -> PostgresAdapter:
        url = self._state.settings().required("postgres_url")
        return PostgresAdapter(url, seconds=SECONDS)

    @retried
    def _keep(self, **rows: Any) -> None:
        """Keep rows in one transaction, with one deadline for all of it."""
        with self._postgres.connection() as connection:
            bulk.store_rows(connection, **rows)
