"""Which tasks the documents of all agents name: asked once for each collection of an agent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from bson.codec_options import DatetimeConversion
from pymongo.database import Database

from storage.closing import Closable
from storage.mongo.clusters import PREFIX, Clusters, agents_on
from storage.mongo.documents import LOGS, MEMORIES, Document
from storage.retries import retried
from storage.settings import Settings

#: Ids in one answer of the server.
_ANSWER = 10_000
_LONGEST_TOLD = 100
#: One seek in the index for each task, however many documents it has.
FIRST_OF_TASKS: list[dict[str, Any]] = [
    {"$sort": {"task_id": -1, "created_at": 1, "_id": 1}},
    {"$group": {"_id": "$task_id", "first_at": {"$first": "$created_at"}}},
]
COLLECTIONS = (LOGS, MEMORIES)


class AgentPlace(NamedTuple):
    """An agent's database, on one of the clusters."""

    agent_id: str
    url: str


class ToldTask(NamedTuple):
    """A task as documents name it."""

    told: str
    """As it is written down, which may be no id."""
    task_id: UUID | None
    first_at: datetime | None
    """When the oldest of these documents was made, by its author's clock."""


class ToldTasks(Closable):
    """Reads on every cluster which tasks documents name."""

    def __init__(self, settings: Settings) -> None:
        self._clusters = Clusters(settings)

    def places(self) -> list[AgentPlace]:
        """Every agent that has a database, on the cluster where it belongs.

        Raises:
            StoreUnavailable: when one cluster is away; of its agents, nothing would be known.
        """
        urls = sorted(set(self._clusters.patterns().values()))
        return [AgentPlace(agent_id, url) for url in urls for agent_id in self._agents(url)]

    @contextmanager
    def of(self, place: AgentPlace, collection: str) -> Iterator[Iterator[ToldTask]]:
        """Every task that the documents of a collection name, as they are consumed."""
        with (
            self._clusters.client(place.url) as client,
            _first_of_tasks(client[PREFIX + place.agent_id], collection) as found,
        ):
            yield found

    def close(self) -> None:
        """Close every connection."""
        self._clusters.close()

    @retried
    def _agents(self, url: str) -> list[str]:
        with self._clusters.client(url) as client:
            return [one for one in agents_on(client) if self._clusters.url(one) == url]


@contextmanager
def _first_of_tasks(database: Database[Document], collection: str) -> Iterator[Iterator[ToldTask]]:
    some = database[collection]
    # An agent may write a time that Python has none for, which comes as a number then.
    options = some.codec_options.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    # Spills where an agent has more tasks than the server groups in memory, or no index.
    with some.with_options(options).aggregate(
        FIRST_OF_TASKS, allowDiskUse=True, batchSize=_ANSWER
    ) as found:
        yield (
            told_task(document["_id"], document["first_at"])
            for document in found
            if document["_id"] is not None
        )


def told_task(told: object, first_at: object) -> ToldTask:
    """What a document says; an agent may write past our library, and anything."""
    moment = first_at if isinstance(first_at, datetime) else None
    return ToldTask(_text(told), _uuid(told), moment)


def _text(told: object) -> str:
    # PostgreSQL keeps no NUL, and nobody needs a megabyte.
    return str(told)[:_LONGEST_TOLD].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _uuid(told: object) -> UUID | None:
    if isinstance(told, UUID):
        return told
    try:
        return UUID(told) if isinstance(told, str) else None
    except ValueError:
        return None
