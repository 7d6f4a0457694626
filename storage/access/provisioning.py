"""Agents let into the three stores and shut out again; what was cut off is finished by a repeat."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from agentruns.models import Page, utcnow
from storage.access.agents import Agent, KeyState
from storage.access.credentials import environment_of
from storage.access.installation import Installation
from storage.access.keys import AgentKey, new_key
from storage.access.minio import MinioAccess
from storage.access.mongo import MongoAccess
from storage.access.postgres import DroppedRoles, PostgresAccess
from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.errors import AccessDenied, AgentDeleted, RecordRejected, StorageError
from storage.marker import guard_of
from storage.mongo.clusters import Clusters
from storage.postgres.marking import MarkedPostgres
from storage.settings import Settings, load_settings

#: Puts a key where its agent finds it; what it raises leaves the key to the next try.
Keep = Callable[[AgentKey], Any]

_SECONDS = 15.0


class Provisioning(Closable):
    """Gives agents keys and takes them back, as the operator.

    PostgreSQL knows what exists: a key is announced there before any store has it, and complete
    once all have it and it is kept where its agent finds it. One at a time works on an agent.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load_settings()
        self._access: PostgresAccess | None = None
        self._installation: UUID | None = None

    def add(
        self,
        agent_id: str,
        *,
        append_only: bool | None = None,
        keep: Keep | None = None,
        anew: bool = False,
    ) -> AgentKey | None:
        """A first key for an agent, in all three stores; None when it has one already.

        Without `append_only`, an agent that is known stays what it is, and AGENTRUNS_APPEND_ONLY
        decides on others. With `anew`, it may have the name of one that was deleted for good.

        Raises:
            AccessDenied: when the agent was disabled, before or meanwhile.
            AgentDeleted: when it was deleted, and nobody said `anew`.
        """
        with self._marked.turn(checked_agent_id(agent_id)):
            self._refuse_deleted(agent_id, anew=anew)
            return self._added(agent_id, append_only, keep)

    def _added(self, agent_id: str, append_only: bool | None, keep: Keep | None) -> AgentKey | None:
        known = self._postgres.find(agent_id)
        if known and known.disabled_at:
            raise AccessDenied(
                f"{agent_id} is disabled: 'agentruns agents rotate {agent_id}' lets it in again."
            )
        if known and any(key.is_valid for key in known.keys):
            if append_only and not known.append_only:
                raise AccessDenied(
                    f"{agent_id} has a key already that may change and delete its own data: "
                    f"'agentruns agents append-only {agent_id}' takes that from it."
                )
            return None
        if append_only is None:
            append_only = known.append_only if known else self._settings.agentruns_append_only
        return self._granted(agent_id, known, keep, append_only=append_only)

    def rotate(self, agent_id: str, grace: timedelta, keep: Keep | None = None) -> AgentKey:
        """A new key for an agent; its old ones open the stores for so much longer.

        A disabled agent is let in again.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        with self._marked.turn(checked_agent_id(agent_id)):
            self._refuse_deleted(agent_id)
            known = self._postgres.agent(agent_id)
            key = self._granted(agent_id, known, keep, append_only=known.append_only)
            old = [each for each in known.keys if each.is_valid and each.key_id != key.key_id]
            self._end(old, utcnow() + grace)
            if not grace:
                self._revoked(old)
        return key

    def restrict(self, agent_id: str, *, append_only: bool = True) -> list[str]:
        """Make a known agent append-only in all three stores, or undo it; gives the keys concerned.

        PostgreSQL calls an agent append-only only while all of its keys are: what was cut off in
        the middle is finished by a repeat.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        with self._postgres.turn(checked_agent_id(agent_id)):
            keys = self._postgres.agent(agent_id).keys
            concerned = [key.key_id for key in keys if not key.retired_at]
            if not append_only:
                self._postgres.set_append_only(agent_id, append_only=False)
            self._change(agent_id, concerned, append_only=append_only)
            if append_only:
                self._postgres.set_append_only(agent_id, append_only=True)
        return concerned

    def disable(self, agent_id: str) -> list[str]:
        """Shut an agent out of all three stores at once; gives the keys that stopped.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        self._postgres.agent(checked_agent_id(agent_id))
        self._postgres.disable(agent_id)  # at once, whoever gives it a key in this moment
        with self._postgres.turn(agent_id):
            self._postgres.disable(agent_id)
            keys = self._postgres.agent(agent_id).keys
            return self._revoked(key for key in keys if not key.retired_at)

    def remove(self, agent_id: str) -> None:
        """Shut an agent out of all three stores for good, and drop its roles."""
        if self._postgres.find(checked_agent_id(agent_id)):
            self.disable(agent_id)
            self._postgres.drop_roles_of(self._postgres.agent(agent_id))

    def refuse_deleted(self, agent_id: str) -> None:
        """Raise for an agent that was deleted.

        Raises:
            AgentDeleted: when it was, and no other has its name since.
        """
        self._refuse_deleted(checked_agent_id(agent_id))

    def retire(self, now: datetime | None = None) -> list[str]:
        """Take back the keys whose time is over, and those of disabled agents."""
        return self._revoked(self._postgres.keys_to_retire(now or utcnow()))

    def drop_roles(self) -> DroppedRoles:
        """Drop from PostgreSQL the roles of keys that no store lets in any more."""
        return self._postgres.drop_roles()

    def agents(self, limit: int = 100, after: str | None = None) -> Page[Agent]:
        """A page of the agents, by id, each with its keys."""
        return self._postgres.agents(limit, after)

    def agent(self, agent_id: str) -> Agent:
        """One agent with its keys.

        Raises:
            RecordNotFound: when there is no such agent.
        """
        return self._postgres.agent(checked_agent_id(agent_id))

    def environment_of(self, key: AgentKey) -> dict[str, str]:
        """What a process sets to be this agent."""
        return environment_of(key, self._settings, self._installation)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def _refuse_deleted(self, agent_id: str, *, anew: bool = False) -> None:
        if (gone := self._postgres.deleted(agent_id)) is None:
            return
        if not gone.finished_at:
            raise AgentDeleted(
                f"{agent_id} is being deleted: 'agentruns agents delete {agent_id} --yes' ends it."
            )
        if not anew:
            raise AgentDeleted(
                f"{agent_id} was deleted for good on {gone.began_at:%Y-%m-%d}: 'agentruns agents "
                f"add {agent_id} --anew' lets another agent have its name."
            )
        self._postgres.readmit(agent_id)
        if self._postgres.deleted(agent_id):
            raise AgentDeleted(
                f"What came late of the {agent_id} that was deleted is being removed in this "
                "moment: run the same command again."
            )

    def _granted(
        self, agent_id: str, known: Agent | None, keep: Keep | None, *, append_only: bool
    ) -> AgentKey:
        """A key that all stores know; what was cut off before is finished, with a new secret."""
        key = new_key(agent_id)
        begun = next((key for key in known.keys if key.is_begun), None) if known else None
        if begun:
            self._minio.revoke(begun.key_id)  # its name there goes with the secret that is lost
            key = key.model_copy(update={"key_id": begun.key_id})
        self._postgres.add(agent_id, append_only=append_only)
        try:
            self._grant(key, keep, append_only=append_only)
        except RecordRejected:
            # Disabled meanwhile, so that whoever did it may have looked before the stores had it.
            self._shut_out(agent_id, key.key_id)
            raise AccessDenied(f"{agent_id} was disabled while it was let in.") from None
        return key

    def _grant(self, key: AgentKey, keep: Keep | None, *, append_only: bool) -> None:
        self._postgres.grant(key)
        with MongoAccess(self._cluster_of(key.agent_id)) as mongo:
            mongo.grant(key, append_only=append_only)
        self._minio.grant(key, append_only=append_only)
        if keep:
            keep(key)
        self._postgres.complete(key.key_id)

    def _change(self, agent_id: str, key_ids: Iterable[str], *, append_only: bool) -> None:
        with MongoAccess(self._cluster_of(agent_id)) as mongo:
            for key_id in key_ids:
                mongo.change(agent_id, key_id, append_only=append_only)
                self._minio.change(agent_id, key_id, append_only=append_only)

    def _end(self, keys: Iterable[KeyState], until: datetime) -> None:
        """Let keys end then; one that ends earlier gains nothing."""
        for key in keys:
            if key.expires_at is None or key.expires_at > until:
                self._postgres.expire(key.key_id, until)

    def _revoked(self, keys: Iterable[KeyState]) -> list[str]:
        """The ids of keys that no store lets in any more; one that fails keeps back no other."""
        errors: list[StorageError] = []
        revoked = []
        for key in keys:
            try:
                self._postgres.revoke(key.key_id)
                self._shut_out(key.agent_id, key.key_id)
                self._postgres.retire(key.key_id)
                revoked.append(key.key_id)
            except StorageError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return revoked

    def _shut_out(self, agent_id: str, key_id: str) -> None:
        """Take a key out of both stores, of the second also when the first is away."""
        try:
            self._minio.revoke(key_id)
        finally:
            with MongoAccess(self._cluster_of(agent_id)) as mongo:
                mongo.revoke(agent_id, key_id)

    def _cluster_of(self, agent_id: str) -> str:
        return Clusters(self._settings).url(agent_id)

    @property
    def _marked(self) -> PostgresAccess:
        """PostgreSQL, once the stores are marked as one installation: keys remember which."""
        if self._installation is None:
            self._installation = Installation(self._settings).claim().marker.installation
        return self._postgres

    @property
    def _postgres(self) -> PostgresAccess:
        """PostgreSQL, once it has said that it belongs to our environment."""
        url = self._settings.required("postgres_url")
        if self._access is None:
            marker = MarkedPostgres(url, _SECONDS).read()
            guard_of(self._settings).check("PostgreSQL", marker)
            self._access = PostgresAccess(url)
        return self._access

    @cached_property
    def _minio(self) -> MinioAccess:
        return MinioAccess(self._settings)
