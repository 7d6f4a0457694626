"""Agents let into the three stores and shut out again; what was cut off is finished by a repeat."""

from datetime import datetime, timedelta
from functools import cached_property

from agentruns.models import Page, utcnow
from storage.access.agents import Agent, AuditEntry, KeyState
from storage.access.credentials import environment_of
from storage.access.keys import AgentKey, new_key
from storage.access.minio import MinioAccess
from storage.access.mongo import MongoAccess
from storage.access.postgres import PostgresAccess
from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.errors import AccessDenied
from storage.mongo.clusters import Clusters
from storage.settings import Settings, load_settings


class Provisioning(Closable):
    """Gives agents keys and takes them back, as the operator.

    PostgreSQL knows what exists: a key is announced there before any store has it, and complete
    once all have it. Only complete keys are handed out.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load_settings()

    def add(self, agent_id: str, *, append_only: bool | None = None) -> AgentKey | None:
        """A first key for an agent, in all three stores; None when it has one already.

        Without `append_only`, AGENTRUNS_APPEND_ONLY decides.

        Raises:
            AccessDenied: when the agent was disabled.
        """
        checked_agent_id(agent_id)
        known = self._postgres.find(agent_id)
        if known and known.disabled_at:
            raise AccessDenied(
                f"{agent_id} is disabled: 'agentruns agents rotate {agent_id}' lets it in again."
            )
        if known and any(key.is_valid for key in known.keys):
            return None
        if append_only is None:
            append_only = self._settings.agentruns_append_only
        return self._granted(agent_id, known, append_only=append_only)

    def rotate(self, agent_id: str, keep: timedelta) -> AgentKey:
        """A new key for an agent; its old ones open the stores for so much longer.

        A disabled agent is let in again.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        known = self._postgres.agent(checked_agent_id(agent_id))
        key = self._granted(agent_id, known, append_only=known.append_only)
        until = utcnow() + keep
        for old in known.keys:
            if old.is_valid and old.key_id != key.key_id:
                self._postgres.expire(old.key_id, until)
        if not keep:
            self.retire()
        return key

    def disable(self, agent_id: str) -> list[str]:
        """Shut an agent out of all three stores at once; gives the keys that stopped.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        known = self._postgres.agent(checked_agent_id(agent_id))
        self._postgres.disable(agent_id)
        return [self._revoked(key) for key in known.keys if not key.retired_at]

    def retire(self, now: datetime | None = None) -> list[str]:
        """Take back the keys whose time is over, and those of disabled agents."""
        return [self._revoked(key) for key in self._postgres.keys_to_retire(now or utcnow())]

    def agents(self, limit: int = 100, after: str | None = None) -> Page[Agent]:
        """A page of the agents, by id, each with its keys."""
        return self._postgres.agents(limit, after)

    def agent(self, agent_id: str) -> Agent:
        """One agent with its keys.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        return self._postgres.agent(checked_agent_id(agent_id))

    def audit(
        self, limit: int = 100, after: str | None = None, agent_id: str | None = None
    ) -> Page[AuditEntry]:
        """A page of who let whom in and out, newest first, of all agents or one."""
        return self._postgres.audit(limit, after, agent_id)

    def environment_of(self, key: AgentKey) -> dict[str, str]:
        """What a process sets to be this agent."""
        return environment_of(key, self._settings)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def _granted(self, agent_id: str, known: Agent | None, *, append_only: bool) -> AgentKey:
        """A key that all stores know; what was cut off before is finished, with a new secret."""
        key = new_key(agent_id)
        begun = next((key for key in known.keys if key.is_begun), None) if known else None
        if begun:
            self._minio.revoke(begun.key_id)  # its name there goes with the secret that is lost
            key = key.model_copy(update={"key_id": begun.key_id})
        self._postgres.add(agent_id, append_only=append_only)
        self._postgres.grant(key)
        with MongoAccess(self._cluster_of(agent_id)) as mongo:
            mongo.grant(key, append_only=append_only)
        self._minio.grant(key, append_only=append_only)
        self._postgres.complete(key.key_id)
        return key

    def _revoked(self, key: KeyState) -> str:
        """The id of a key that no store lets in any more; PostgreSQL knows when all is done."""
        self._postgres.revoke(key.key_id)
        self._minio.revoke(key.key_id)
        with MongoAccess(self._cluster_of(key.agent_id)) as mongo:
            mongo.revoke(key.agent_id, key.key_id)
        self._postgres.retire(key.key_id)
        return key.key_id

    def _cluster_of(self, agent_id: str) -> str:
        return Clusters(self._settings).url(agent_id)

    @cached_property
    def _postgres(self) -> PostgresAccess:
        return PostgresAccess(self._settings.required("postgres_url"))

    @cached_property
    def _minio(self) -> MinioAccess:
        return MinioAccess(self._settings)
