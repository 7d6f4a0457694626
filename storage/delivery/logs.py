"""Log entries and memories on their way to MongoDB, which asks no other store."""

from collections.abc import Sequence
from functools import cached_property

from agentruns.models import LogEntry, Memory
from agentruns.spool import Lane
from storage.delivery.destination import Destination
from storage.mongo import MongoAdapter
from storage.rejection import Rejection
from storage.writer import store_said


class LogsDestination(Destination):
    """MongoDB."""

    lane = Lane.LOGS

    def store(self, records: Sequence[LogEntry | Memory]) -> list[Rejection]:
        """Insert them into the databases of their agents."""
        logs = [record for record in records if isinstance(record, LogEntry)]
        memories = [record for record in records if isinstance(record, Memory)]
        return store_said(self._mongo, logs, memories)

    def close(self) -> None:
        """Close every connection."""
        if mongo := self.__dict__.pop("_mongo", None):
            mongo.close()

    @cached_property
    def _mongo(self) -> MongoAdapter:
        return MongoAdapter(cluster_mode=True, settings=self._state.settings())
