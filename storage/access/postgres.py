"""Who may get into PostgreSQL: roles for the keys of agents, passwords for components."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row

from storage.access.keys import AgentKey
from storage.access.roles import role_of
from storage.postgres.connection import PgConnection
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.queries import query

_SECONDS = 15.0


class KnownAgent(NamedTuple):
    """An agent that was provisioned."""

    agent_id: str
    append_only: bool
    created_at: datetime
    disabled_at: datetime | None


class KnownKey(NamedTuple):
    """A key of an agent, without its secret, which nobody keeps."""

    key_id: str
    agent_id: str
    created_at: datetime
    completed_at: datetime | None
    """When all three stores knew it; None: provisioning has not ended yet."""
    expires_at: datetime | None
    revoked_at: datetime | None


class PostgresAccess:
    """Lets agents into PostgreSQL and keeps them out; everything can be repeated.

    Every call raises `AccessDenied` for a URL that is not the operator's, and `RecordRejected`
    for an id that is none.
    """

    def __init__(self, operator_url: str) -> None:
        self._url = operator_url

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

    def agents(self, agent_id: str | None = None) -> list[KnownAgent]:
        """Every provisioned agent, or the one with this id."""
        return self._rows(KnownAgent, "known_agents", agent_id=agent_id)

    def keys(self, agent_id: str) -> list[KnownKey]:
        """The keys of an agent, the newest first."""
        return self._rows(KnownKey, "keys_of_agent", agent_id=agent_id)

    def _call(self, name: str, **told: Any) -> None:
        with translated(), connect(self._url, _SECONDS) as connection:
            connection.execute(query(name), told)

    def _rows(self, kind: type[Any], name: str, **told: Any) -> list[Any]:
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


def _verifier(connection: PgConnection, role: str, password: str) -> str:
    """What the server keeps instead of the password, so that no statement carries it."""
    told = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return told.decode()
