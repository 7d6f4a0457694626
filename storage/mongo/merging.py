"""Reading the logs of many agents on many clusters as if they were one list."""

import heapq
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from agentruns.models import LogEntry
from storage.errors import StorageError, StoreUnavailable
from storage.mongo.clusters import Clusters, agents_on
from storage.mongo.documents import LOGS, Document, models_of
from storage.mongo.pages import ClusterPage
from storage.mongo.reading import newest, next_cursor

Found = TypeVar("Found")

_LOGGER = logging.getLogger(__name__)

#: Queries at a time; more would only queue up on the servers.
_THREADS = 8


class _Answer(NamedTuple, Generic[Found]):
    asked: str
    found: list[Found]
    error: StorageError | None = None


class KnownAgents(NamedTuple):
    """The agents that have a database, and the patterns of clusters that did not answer."""

    agents: list[str]
    missing: tuple[str, ...]


class _Round:
    """One round of questions; a cluster that was away once is not waited for again in it."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._away: dict[str, StoreUnavailable] = {}

    def logs(self, agent_id: str, query: dict[str, Any], count: int) -> _Answer[Document]:
        """The newest documents of one agent, or the error that kept us from them."""
        url = self._clusters.url(agent_id)
        try:
            if url in self._away:
                raise self._away[url]
            with self._clusters.database(agent_id) as database:
                return _Answer(agent_id, newest(database[LOGS], query, count))
        except StoreUnavailable as error:
            self._away[url] = error
            return _Answer(agent_id, [], error)
        except StorageError as error:
            return _Answer(agent_id, [], error)


def merged_logs(
    clusters: Clusters, known: KnownAgents, query: dict[str, Any], limit: int
) -> ClusterPage:
    """One page of all these agents' logs in time order, from whatever clusters could be read.

    Raises:
        StorageError: when there are agents and not one could be read.
    """
    asking = _Round(clusters)
    answers = _in_parallel(lambda agent: asking.logs(agent, query, limit + 1), known.agents)
    missing = known.missing + _missing(answers)
    in_order = heapq.merge(*(answer.found for answer in answers), key=_age, reverse=True)
    documents = list(islice(in_order, limit + 1))
    models = models_of(LogEntry, documents[:limit])
    return ClusterPage(models, next_cursor(documents, limit), missing)


def known_agents(clusters: Clusters) -> KnownAgents:
    """Every agent whose database lies on the cluster where it belongs."""
    patterns = clusters.patterns()
    answers = _in_parallel(lambda pattern: _agents(clusters, pattern, patterns[pattern]), patterns)
    agents = sorted({agent for answer in answers for agent in answer.found})
    return KnownAgents(agents, _missing(answers))


def _agents(clusters: Clusters, pattern: str, url: str) -> _Answer[str]:
    try:
        with clusters.client(url) as client:
            return _Answer(pattern, [a for a in agents_on(client) if clusters.url(a) == url])
    except StorageError as error:
        return _Answer(pattern, [], error)


def _in_parallel(
    ask: Callable[[str], _Answer[Found]], names: Iterable[str]
) -> list[_Answer[Found]]:
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="mongo") as pool:
        return list(pool.map(ask, names))


def _missing(answers: Sequence[_Answer[Found]]) -> tuple[str, ...]:
    failed = {answer.asked: answer.error for answer in answers if answer.error}
    if failed and len(failed) == len(answers):
        raise next(iter(failed.values()))
    for asked, error in failed.items():
        _LOGGER.warning("The logs of %s are missing: %s", asked, error)
    return tuple(failed)


def _age(document: Document) -> tuple[datetime, UUID]:
    return document["created_at"], document["_id"]
