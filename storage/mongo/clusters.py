"""Which agent lives on which MongoDB cluster."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from storage.arguments import checked_agent_id
from storage.errors import SettingsError
from storage.marker import guard_of
from storage.mongo.clients import Clients, address
from storage.mongo.documents import Document
from storage.mongo.indexes import ensure_indexes
from storage.mongo.marking import marker_of
from storage.settings import Settings

PREFIX = "agent_"

#: Databases whose indexes we remember to be there; beyond that, asking again costs a round trip.
_REMEMBERED = 10_000
#: For so long; a database may be deleted, and come back with the agent's next record.
_SECONDS = 300.0


class Clusters:
    """Databases of agents, each found on its own cluster and opened on demand."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.mongodb_url
        self._patterns = settings.mongodb_clusters
        self._guard = guard_of(settings)
        self._clients = Clients(check=self._compare)
        self._indexed: OrderedDict[str, float] = OrderedDict()

    def url(self, agent_id: str) -> str:
        """The URL of the agent's cluster: the first pattern that matches, else the default."""
        checked = checked_agent_id(agent_id)
        secrets = (url for pattern, url in self._patterns.items() if fnmatchcase(checked, pattern))
        url = next(secrets, self._default)
        if url is None:
            raise SettingsError(
                f"No cluster is set for agent {agent_id}: set MONGODB_URL, or a pattern that "
                "matches it in MONGODB_CLUSTERS, or start the local servers with 'agentruns up'."
            )
        return url.get_secret_value()

    def patterns(self) -> dict[str, str]:
        """Every pattern of agents with the URL of their cluster; `*` stands for the rest."""
        urls = {pattern: url.get_secret_value() for pattern, url in self._patterns.items()}
        if self._default is not None:
            urls.setdefault("*", self._default.get_secret_value())
        return urls

    @contextmanager
    def client(self, url: str) -> Iterator[MongoClient[Document]]:
        """A client of one cluster, for the time of the block."""
        with self._clients.lease(url) as client:
            yield client

    @contextmanager
    def database(self, agent_id: str) -> Iterator[Database[Document]]:
        """The agent's database, for the time of the block."""
        with self.client(self.url(agent_id)) as client:
            yield client[PREFIX + agent_id]

    @contextmanager
    def writable(self, agent_id: str) -> Iterator[Database[Document]]:
        """The agent's database with its indexes, for the time of the block."""
        with self.database(agent_id) as database:
            if time.monotonic() > self._indexed.get(agent_id, -inf) + _SECONDS:
                ensure_indexes(database)
                self._remember(agent_id)
            yield database

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        self._clients.close()

    def _compare(self, client: MongoClient[Document], url: str) -> None:
        self._guard.check(f"MongoDB at {address(url)}", marker_of(client, url))

    def _remember(self, agent_id: str) -> None:
        self._indexed[agent_id] = time.monotonic()
        if len(self._indexed) > _REMEMBERED:
            self._indexed.popitem(last=False)


def agents_on(client: MongoClient[Document]) -> list[str]:
    """The agents that have a database on this cluster and that we may read."""
    only: dict[str, Any] = {"name": {"$regex": f"^{PREFIX}"}}
    names = client.list_databases(filter=only, nameOnly=True)
    return [item["name"].removeprefix(PREFIX) for item in names]
