"""Who may get into PostgreSQL: roles for the keys of agents, passwords for components."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from psycopg.rows import class_row

from agentruns.models import Page
from agentruns.models.values import Record
from storage.access.agents import Agent, KeyState
from storage.access.keys import AgentKey
from storage.access.roles import role_of
from storage.errors import RecordNotFound, StoreUnavailable
from storage.paging import checked_limit
from storage.postgres.connection import PgConnection
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.queries import query

Kept = TypeVar("Kept", bound=Record)

_SECONDS = 15.0
#: The longest that one waits for another who works on the same agent, and between two looks.
_TURN_SECONDS, _LOOK_SECONDS = 60.0, 0.2
#: A thousand roles take some seconds.
_DROP_SECONDS = 120.0


class DroppedRoles(NamedTuple):
    """Keys whose roles are gone from PostgreSQL, and those that left something elsewhere there."""

    dropped: list[str]
    kept: list[str]


class Tombstone(NamedTuple):
    """When the deletion of an agent began, and when all of it was gone."""

    began_at: datetime
    finished_at: datetime | None


class PostgresAccess:
    """Lets agents into PostgreSQL and keeps them out; everything can be repeated.

    Every call raises `AccessDenied` for a URL that is not the operator's, and `RecordRejected`
    for an id that is none.
    """

    def __init__(self, operator_url: str) -> None:
        self._url = operator_url

    @contextmanager
    def turn(self, agent_id: str) -> Iterator[None]:
        """Be the only one who works on the keys of an agent: two would mix up their secrets.

        Raises:
            StoreUnavailable: when another one does not come to an end.
        """
        with translated():
            connection = connect(self._url, _TURN_SECONDS, autocommit=True)
        try:
            with translated():
                _take(connection, agent_id)
            yield
        finally:
            connection.close()

    def add(self, agent_id: str, *, append_only: bool = False) -> None:
        """Make an agent known, and enable it when it was disabled."""
        self._call("add_agent", agent_id=agent_id, append_only=append_only)

    def grant(self, key: AgentKey) -> None:
        """Let an agent in with a key.

        Raises:
            RecordRejected: when the agent is disabled or the key was revoked.
        """
        with translated(), connect(self._url, _SECONDS) as connection:
            verifier = _verifier(connection, key.key_id, key.secret.get_secret_value())
            told = {"key_id": key.key_id, "agent_id": key.agent_id, "verifier": verifier}
            connection.execute(query("make_agent_key"), told)

    def complete(self, key_id: str) -> None:
        """Note that all three stores know a key."""
        self._call("complete_agent_key", key_id=key_id)

    def expire(self, key_id: str, at: datetime) -> None:
        """Let a key count until a moment and no longer."""
        self._call("expire_agent_key", key_id=key_id, at=at)

    def revoke(self, key_id: str) -> None:
        """Let a key count no more, and end its connections."""
        self._call("revoke_agent_key", key_id=key_id)
        # Who logged in before the first call was committed.
        self._call("revoke_agent_key", key_id=key_id)

    def disable(self, agent_id: str) -> None:
        """Revoke all keys of an agent and let nobody make new ones until it is added again."""
        self._call("disable_agent", agent_id=agent_id)
        self._call("disable_agent", agent_id=agent_id)

    def retire(self, key_id: str) -> None:
        """Note that no store lets a revoked key in any more."""
        self._call("retire_agent_key", key_id=key_id)

    def set_append_only(self, agent_id: str, *, append_only: bool) -> None:
        """Note whether an agent that is known may only add to what it recorded."""
        self._call("set_append_only", agent_id=agent_id, append_only=append_only)

    def drop_roles(self) -> DroppedRoles:
        """Drop the roles of keys that no store lets in any more, at most 1,000."""
        dropped: list[str] = []
        kept: list[str] = []
        with translated(), connect(self._url, _DROP_SECONDS, autocommit=True) as connection:
            for (key_id,) in connection.execute(query("roles_to_drop")).fetchall():
                ((gone,),) = connection.execute(query("drop_key_role"), {"key_id": key_id})
                (dropped if gone else kept).append(key_id)
        return DroppedRoles(dropped, kept)

    def drop_roles_of(self, agent: Agent) -> None:
        """Drop the roles of an agent's keys, all of which are retired."""
        with translated(), connect(self._url, _DROP_SECONDS, autocommit=True) as connection:
            for key in agent.keys:
                connection.execute(query("drop_key_role"), {"key_id": key.key_id})

    def deleted(self, agent_id: str) -> Tombstone | None:
        """When an agent was deleted that did not come back since."""
        with translated(), connect(self._url, _SECONDS) as connection:
            rows = connection.execute(
                query("tombstone_of_agent"), {"agent_id": agent_id}
            ).fetchall()
        return Tombstone(*rows[0]) if rows else None

    def readmit(self, agent_id: str) -> None:
        """Let another agent have the name of one that was deleted."""
        self._call("readmit_agent", agent_id=agent_id)

    def find(self, agent_id: str) -> Agent | None:
        """One agent with its keys, if it is known."""
        found = self._agents(agent_id=agent_id, after=None, rows=1)
        return found[0] if found else None

    def agent(self, agent_id: str) -> Agent:
        """One agent with its keys.

        Raises:
            RecordNotFound: when it is not known.
        """
        if (found := self.find(agent_id)) is None:
            raise RecordNotFound(
                f"There is no agent {agent_id}: 'agentruns agents add {agent_id}' lets it in."
            )
        return found

    def agents(self, limit: int, after: str | None) -> Page[Agent]:
        """A page of the agents with their keys, by id."""
        found = self._agents(agent_id=None, after=after, rows=checked_limit(limit) + 1)
        page = tuple(found[:limit])
        return Page(page, page[-1].agent_id if len(found) > limit else None)

    def keys_to_retire(self, now: datetime) -> list[KeyState]:
        """Keys that are over and that some store may still let in, at most 1,000."""
        return self._rows(KeyState, "keys_to_retire", now=now)

    def _agents(self, **told: Any) -> list[Agent]:
        agents: list[Agent] = self._rows(Agent, "agents_page", **told)
        keys: dict[str, list[KeyState]] = {agent.agent_id: [] for agent in agents}
        for key in self._rows(KeyState, "keys_of_agents", agent_ids=list(keys)):
            keys[key.agent_id].append(key)
        return [agent.model_copy(update={"keys": tuple(keys[agent.agent_id])}) for agent in agents]

    def _call(self, name: str, **told: Any) -> None:
        with translated(), connect(self._url, _SECONDS) as connection:
            connection.execute(query(name), told)

    def _rows(self, kind: type[Kept], name: str, **told: Any) -> list[Kept]:
        with (
            translated(),
            connect(self._url, _SECONDS) as connection,
            connection.cursor(row_factory=class_row(kind)) as cursor,
        ):
            return cursor.execute(query(name), told).fetchall()


def set_passwords(url: str, passwords: Mapping[str, str]) -> None:
    """Give the roles of components these passwords; the URL is the operator's or the owner's."""
    with translated(), connect(url, _SECONDS) as connection:
        for component, password in passwords.items():
            verifier = _verifier(connection, role_of(component), password)
            told = {"component": component, "verifier": verifier}
            connection.execute(query("set_component_password"), told)


def _take(connection: PgConnection, agent_id: str) -> None:
    end = time.monotonic() + _TURN_SECONDS - 1
    while not connection.execute(query("take_turn"), {"agent_id": agent_id}).fetchall()[0][0]:
        if time.monotonic() > end:
            raise StoreUnavailable(
                f"Somebody else is giving {agent_id} a key or taking one back: try again later."
            )
        time.sleep(_LOOK_SECONDS)


def _verifier(connection: PgConnection, role: str, password: str) -> str:
    """What the server keeps instead of the password, so that no statement carries it."""
    told = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return told.decode()
