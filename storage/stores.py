"""The three stores and their writer, opened when they are first used."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import Protocol

from agentruns.models import Health, StoredFile
from storage.access.keys import is_an_agents
from storage.acts import Act, What
from storage.closing import Closable
from storage.errors import StorageError
from storage.marker import guard_of
from storage.minio import MinIOAdapter
from storage.mongo import MongoAdapter
from storage.pace import Pace
from storage.postgres.adapter import PostgresAdapter
from storage.settings import Settings, load_settings
from storage.writer import RecordWriter

_NAMES = {"postgres": "postgres", "mongo": "mongodb", "minio": "minio"}

#: Settings of one process hardly ever change; whoever needs more gets the oldest's connections.
_MOST_SHARED = 4
_SHARED: list["Stores"] = []
_LOCK = Lock()


class _Store(Protocol):
    def health_check(self) -> Health: ...
    def close(self) -> None: ...


class Stores(Closable):
    """Everything that a service needs to keep and find records of all agents."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def postgres(self) -> PostgresAdapter:
        """Tasks, progress, verdicts, metadata of files."""
        url = self.settings.required("postgres_url")
        return PostgresAdapter(url, guard=guard_of(self.settings))

    @cached_property
    def mongo(self) -> MongoAdapter:
        """Logs and memories of every agent."""
        return MongoAdapter(cluster_mode=True, settings=self.settings)

    @cached_property
    def minio(self) -> MinIOAdapter:
        """Screenshots and files of every agent, registered and, when shown, audited in PostgreSQL.

        An agent's key opens its own screenshots anyway, so what it signs is not audited.
        """
        url = self.settings.postgres_url
        auditor = None if url and is_an_agents(url.get_secret_value()) else self
        return MinIOAdapter(postgres_adapter=self, settings=self.settings, auditor=auditor)

    @cached_property
    def writer(self) -> RecordWriter:
        """Writes mixed records where they belong."""
        return RecordWriter(self.postgres, self.mongo, self.minio)

    def paced(self, pace: Pace | None) -> "Stores":
        """The same stores, whose objects go no faster than this; never to be closed."""
        if pace is None:
            return self
        twin = Stores(self.settings)
        twin.__dict__ |= {"postgres": self.postgres, "mongo": self.mongo}
        twin.__dict__["minio"] = self.minio.paced(pace)
        return twin

    def register_binary_file(self, file: StoredFile, /) -> StoredFile:
        """Keep the row of an uploaded object; PostgreSQL is opened for it, not for the upload."""
        return self.postgres.register_binary_file(file)

    def audit(self, what: What, acts: Sequence[Act], /) -> None:
        """Note what is about to be done; PostgreSQL is opened for it."""
        self.postgres.audit(what, acts)

    def health(self) -> list[Health]:
        """How each store is, all asked at once; never raises, and answers within two seconds."""
        with ThreadPoolExecutor(len(_NAMES), thread_name_prefix="health") as pool:
            return list(pool.map(self._health, _NAMES))

    def close(self) -> None:
        """Close every connection; using a store opens them again."""
        for name in _NAMES:
            opened: _Store | None = self.__dict__.get(name)
            if opened:
                opened.close()

    def _health(self, name: str) -> Health:
        try:
            store: _Store = getattr(self, name)
        except StorageError as error:
            return Health(name=_NAMES[name], healthy=False, latency_ms=0, detail=str(error))
        return store.health_check()


def shared_stores(settings: Settings | None = None) -> Stores:
    """The stores of this process, the same for the same settings; nobody needs to close them."""
    settings = settings or load_settings()
    with _LOCK:
        for stores in _SHARED:
            if stores.settings == settings:
                return stores
        if len(_SHARED) == _MOST_SHARED:
            # Whoever still works with it opens its connections again.
            _SHARED.pop(0).close()
        _SHARED.append(Stores(settings))
        return _SHARED[-1]
