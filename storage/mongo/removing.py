"""Documents that go for good: a task's from every collection, or an agent's whole database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo.collection import Collection
from pymongo.database import Database

from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.mongo.clusters import PREFIX, Clusters
from storage.mongo.documents import LOGS, MEMORIES, Document
from storage.retries import retried
from storage.settings import Settings

#: A fraction of a second of work.
BATCH_SIZE = 5_000
#: What MongoDB knows of an agent besides documents, beside the collections' names in a count.
USERS = "users"


class DocumentRemover(Closable):
    """Counts and removes documents on every cluster, as the operator."""

    def __init__(self, settings: Settings) -> None:
        self._clusters = Clusters(settings)

    def of_agent(self, agent_id: str) -> dict[str, int]:
        """How many documents each collection of an agent has, and how many users it has."""
        counts: dict[str, int] = {}
        for url in self._urls():
            for name, number in self._of_agent(url, agent_id).items():
                counts[name] = counts.get(name, 0) + number
        return counts

    def of_tasks(self, agent_id: str, task_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
        """How many documents of each of an agent's tasks each collection has."""
        counts: dict[UUID, dict[str, int]] = {id_: {} for id_ in task_ids}
        for url in self._urls():
            for name, id_, number in self._of_tasks(url, agent_id, task_ids):
                counts[id_][name] = counts[id_].get(name, 0) + number
        return counts

    def remove_tasks(self, agent_id: str, task_ids: Sequence[UUID]) -> None:
        """Remove the documents of tasks from every collection of their agent."""
        for url in self._urls():
            self._remove(url, agent_id, _of(*task_ids))

    def remove_older(self, agent_id: str, moment: datetime) -> None:
        """Remove the log entries and memories that were made before a moment."""
        for url in self._urls():
            self._remove(url, agent_id, {"created_at": {"$lt": moment}}, (LOGS, MEMORIES))

    def remove_agent(self, agent_id: str) -> None:
        """Remove an agent's database with its users and roles."""
        for url in self._urls():
            self._drop(url, agent_id)

    def close(self) -> None:
        """Close every connection."""
        self._clusters.close()

    def _urls(self) -> list[str]:
        # All of them: an agent may have lived on another cluster before.
        return sorted(set(self._clusters.patterns().values()))

    @contextmanager
    def _database(self, url: str, agent_id: str) -> Iterator[Database[Document]]:
        with self._clusters.client(url) as client:
            yield client[PREFIX + checked_agent_id(agent_id)]

    @retried
    def _of_agent(self, url: str, agent_id: str) -> dict[str, int]:
        with self._database(url, agent_id) as database:
            counts = {name: _all(database[name]) for name in _names(database)}
            counts[USERS] = len(database.command("usersInfo", 1)["users"])
        return counts

    @retried
    def _of_tasks(
        self, url: str, agent_id: str, task_ids: Sequence[UUID]
    ) -> list[tuple[str, UUID, int]]:
        match = {"$match": _of(*task_ids)}
        # An agent may write past our library, and several ids into one field.
        each = {"$unwind": "$task_id"}
        by_task = {"$group": {"_id": "$task_id", "number": {"$sum": 1}}}
        with self._database(url, agent_id) as database:
            return [
                (name, UUID(str(found["_id"])), found["number"])
                for name in _names(database)
                for found in database[name].aggregate([match, each, match, by_task])
            ]

    def _remove(
        self, url: str, agent_id: str, match: dict[str, Any], names: tuple[str, ...] | None = None
    ) -> None:
        with self._database(url, agent_id) as database:
            for name in names or _names(database):
                # Whoever goes on writing does not keep us here; a search comes afterwards.
                while self._removed(url, agent_id, name, match) == BATCH_SIZE:
                    pass

    @retried
    def _removed(self, url: str, agent_id: str, name: str, match: dict[str, Any]) -> int:
        with self._database(url, agent_id) as database:
            found = database[name].find(match, {"_id": 1}).limit(BATCH_SIZE)
            ids = [document["_id"] for document in found]
            if ids:
                database[name].delete_many({"_id": {"$in": ids}})
        return len(ids)

    @retried
    def _drop(self, url: str, agent_id: str) -> None:
        with self._database(url, agent_id) as database:
            # Dropping a database leaves its users and roles.
            database.command("dropAllUsersFromDatabase", 1)
            database.command("dropAllRolesFromDatabase", 1)
            database.client.drop_database(database.name)


def _names(database: Database[Document]) -> list[str]:
    """The collections; a view has no documents of its own."""
    some = database.list_collections(filter={"type": {"$ne": "view"}})
    return [found["name"] for found in some if not found["name"].startswith("system.")]


def _all(collection: Collection[Document]) -> int:
    """Without reading them, which takes longer than a reply may; never 0 where there are some."""
    some = collection.find_one({}, {"_id": 1})
    return max(collection.estimated_document_count(), 1) if some else 0


def _of(*task_ids: UUID) -> dict[str, Any]:
    # An agent may write past our library, and ids as text.
    return {"task_id": {"$in": [*task_ids, *map(str, task_ids)]}}
