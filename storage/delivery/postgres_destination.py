"""What the lanes that end in PostgreSQL have in common."""

from typing import Any

from storage.delivery.adapters import AgentAdapters
from storage.delivery.destination import Destination
from storage.delivery.state import DeliveryState
from storage.errors import AccessDenied
from storage.marker import guard_of
from storage.postgres import bulk
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried
from storage.settings import Settings

#: A batch takes a fraction of a second; after this long the server is given up for now.
SECONDS = 15.0


class PostgresDestination(Destination):
    """PostgreSQL, with connections of the lane's own."""

    def __init__(self, state: DeliveryState) -> None:
        super().__init__(state)
        self._postgres = AgentAdapters(_postgres, state.settings_of)

    def forget(self, agent_id: str) -> None:
        """Close what this agent has open."""
        self._postgres.forget(agent_id)

    def close(self) -> None:
        """Close every connection."""
        self._postgres.close()

    @retried
    def _keep(self, agent_id: str, **rows: Any) -> None:
        """Keep rows in one transaction, with one deadline for all of it."""
        with self._postgres.of(agent_id).connection() as connection:
            bulk.store_rows(connection, **rows)
            # Row security hides all tasks from a key that is over: an update says nothing.
            if connection.execute(query("is_key_over")).fetchall()[0][0]:
                raise AccessDenied(
                    f"The key of {agent_id} is over: run 'agentruns agents rotate {agent_id}'."
                )


def _postgres(settings: Settings) -> PostgresAdapter:
    url = settings.required("postgres_url")
    return PostgresAdapter(url, seconds=SECONDS, guard=guard_of(settings))
