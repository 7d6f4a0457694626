"""Log entries and memories on their way to MongoDB, which asks no other store."""

from collections.abc import Sequence

from agentruns.models import LogEntry, Memory
from agentruns.spool import Lane
from storage.delivery.adapters import AgentAdapters
from storage.delivery.destination import Destination
from storage.delivery.state import DeliveryState
from storage.mongo import MongoAdapter
from storage.rejection import Rejection
from storage.settings import Settings
from storage.writer import store_said


class LogsDestination(Destination):
    """MongoDB."""

    lane = Lane.LOGS

    def __init__(self, state: DeliveryState) -> None:
        super().__init__(state)
        self._mongo = AgentAdapters(_mongo, state.settings_of)

    def store(self, agent_id: str, records: Sequence[LogEntry | Memory]) -> list[Rejection]:
        """Insert them into the agent's database."""
        logs = [record for record in records if isinstance(record, LogEntry)]
        memories = [record for record in records if isinstance(record, Memory)]
        return store_said(self._mongo.of(agent_id), logs, memories)

    def forget(self, agent_id: str) -> None:
        """Close what this agent has open."""
        self._mongo.forget(agent_id)

    def close(self) -> None:
        """Close every connection."""
        self._mongo.close()


def _mongo(settings: Settings) -> MongoAdapter:
    return MongoAdapter(cluster_mode=True, settings=settings)
