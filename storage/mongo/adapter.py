"""Logs and memories of one agent, or of all of them."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo.database import Database

from agentruns.models import Health, Level, LogEntry, Memory, Page
from storage.closing import Closable
from storage.errors import RecordRejected
from storage.health import timed_health
from storage.mongo.bulk import Refused, insert
from storage.mongo.clusters import Clusters
from storage.mongo.documents import LOGS, MEMORIES, Document, log_document, memory_document
from storage.mongo.merging import KnownAgents, known_agents, merged_logs
from storage.mongo.pages import ClusterPage
from storage.mongo.probing import probe
from storage.mongo.reading import filters, known_ids, level_counts, older, page_of
from storage.paging import checked_limit
from storage.retries import retried
from storage.settings import Settings, load_settings

#: The version of the ids of what a folder brought.
_IMPORTED = 5


class MongoAdapter(Closable):
    """One agent's logs and memories; with `cluster_mode`, those of any agent on any cluster."""

    def __init__(
        self,
        agent_id: str | None = None,
        *,
        cluster_mode: bool = False,
        settings: Settings | None = None,
    ) -> None:
        settings = settings or load_settings()
        self._clusters = Clusters(settings)
        # Not `or`: a hostile empty id must be refused, not become another agent.
        known = settings.required("agent_id") if agent_id is None and not cluster_mode else agent_id
        self._agent_id = None if cluster_mode else known
        # A missing setting is told at once, not with the first record.
        if self._agent_id is not None:
            self._clusters.url(self._agent_id)
        elif not settings.mongodb_clusters:
            settings.required("mongodb_url")

    def write_log(
        self,
        message: str | LogEntry,
        level: Level | str = Level.INFO,
        task_id: UUID | str | None = None,
        **data: Any,
    ) -> LogEntry:
        """Keep one log entry; everything else that is named becomes its data."""
        entry = (
            message
            if isinstance(message, LogEntry)
            else LogEntry(
                agent_id=self._agent(None),
                message=message,
                level=Level(level),
                task_id=task_id,
                data=data,
            )
        )
        _raise_first(self.store_logs(entry.agent_id, [entry]))
        return entry

    def write_memory(
        self,
        content: str | Memory,
        memory_type: str = "observation",
        task_id: UUID | str | None = None,
        **data: Any,
    ) -> Memory:
        """Keep one memory; everything else that is named becomes its data."""
        memory = (
            content
            if isinstance(content, Memory)
            else Memory(
                agent_id=self._agent(None),
                content=content,
                memory_type=memory_type,
                task_id=task_id,
                data=data,
            )
        )
        _raise_first(self.store_memories(memory.agent_id, [memory]))
        return memory

    @retried
    def store_logs(self, agent_id: str, entries: Sequence[LogEntry]) -> list[Refused]:
        """Keep many log entries of one agent; says which were refused, all others are on disk."""
        with self._writable(agent_id) as database:
            return insert(database[LOGS], [log_document(entry) for entry in entries])

    @retried
    def store_memories(self, agent_id: str, memories: Sequence[Memory]) -> list[Refused]:
        """Keep many memories of one agent; says which were refused, all others are on disk."""
        with self._writable(agent_id) as database:
            return insert(database[MEMORIES], [memory_document(memory) for memory in memories])

    @retried
    def read_logs(  # noqa: PLR0913 - filters, every one optional
        self,
        level: Level | str | None = None,
        task_id: UUID | str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
        *,
        agent_id: str | None = None,
    ) -> Page[LogEntry]:
        """One page of an agent's log entries, newest first."""
        wanted = filters(task_id, since, level=_level(level))
        with self._clusters.database(self._agent(agent_id)) as database:
            return page_of(database, LogEntry, wanted, limit, after)

    @retried
    def read_memories(  # noqa: PLR0913 - filters, every one optional
        self,
        memory_type: str | None = None,
        task_id: UUID | str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
        *,
        agent_id: str | None = None,
    ) -> Page[Memory]:
        """One page of an agent's memories, newest first."""
        wanted = filters(task_id, since, memory_type=memory_type)
        with self._clusters.database(self._agent(agent_id)) as database:
            return page_of(database, Memory, wanted, limit, after)

    def read_all_agent_logs(
        self,
        agents: Iterable[str] | None = None,
        level: Level | str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> ClusterPage:
        """One page of these agents' (or all agents') log entries, newest first.

        A cluster that is away leaves its agents in `missing`; the others' entries are there.
        """
        wanted = older(filters(since=since, level=_level(level)), after)
        known = known_agents(self._clusters) if agents is None else _named(agents)
        return merged_logs(self._clusters, known, wanted, checked_limit(limit))

    def agents(self) -> KnownAgents:
        """Every agent that has a database, on all clusters."""
        return known_agents(self._clusters)

    @retried
    def count_logs(self, agent_id: str, task_ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
        """How many log entries of each level each of these tasks has; one query for all."""
        with self._clusters.database(self._agent(agent_id)) as database:
            return level_counts(database, list(task_ids))

    @retried
    def known_ids(
        self, kind: type[LogEntry] | type[Memory], agent_id: str, ids: Iterable[UUID]
    ) -> set[UUID]:
        """Which of these log entries or memories of an agent are there."""
        with self._clusters.database(self._agent(agent_id)) as database:
            return known_ids(database, kind, list(ids))

    @retried
    def has_own_records(self, agent_id: str, task_id: UUID) -> bool:
        """Whether a task has a log entry or memory that no folder brought."""
        with self._clusters.database(agent_id) as database:
            found = (
                document["_id"].version != _IMPORTED
                for name in (LOGS, MEMORIES)
                for document in database[name].find({"task_id": task_id}, {"_id": 1})
            )
            return any(found)

    def health_check(self) -> Health:
        """Whether every cluster that this adapter needs answers; never raises, never hangs."""
        return timed_health("mongodb", lambda: probe(self._clusters, self._agent_id))

    def close(self) -> None:
        """Close every connection."""
        self._clusters.close()

    def _writable(self, agent_id: str) -> AbstractContextManager[Database[Document]]:
        return self._clusters.writable(self._agent(agent_id))

    def _agent(self, named: str | None) -> str:
        agent_id = self._agent_id if named is None else named
        if agent_id is None:
            raise ValueError("say which agent is meant with agent_id=, this adapter is for all")
        if self._agent_id not in (None, agent_id):
            raise ValueError(f"this adapter is for agent {self._agent_id}, not for {agent_id}")
        return agent_id


def _named(agents: Iterable[str]) -> KnownAgents:
    if isinstance(agents, str):
        agents = [agents]
    return KnownAgents(sorted(set(agents)), ())


def _level(level: Level | str | None) -> str | None:
    return None if level is None else Level(level).value


def _raise_first(refused: list[Refused]) -> None:
    if refused:
        raise RecordRejected(refused[0].reason)
