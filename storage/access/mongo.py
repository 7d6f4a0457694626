"""Users of MongoDB: one for each key of an agent, one for the evaluator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from storage.access.keys import AgentKey, checked_key_id
from storage.access.matrix import rights
from storage.access.roles import MONGODB_EVALUATOR
from storage.arguments import checked_agent_id
from storage.closing import Closable
from storage.mongo.clients import Clients
from storage.mongo.clusters import PREFIX
from storage.mongo.documents import Document
from storage.mongo.indexes import ensure_indexes
from storage.retries import retried

_NO_SUCH_USER, _USER_THERE, _ROLE_THERE = 11, 51003, 51002


class _User(NamedTuple):
    """What the matrix gives one kind of user."""

    database: str
    roles: list[dict[str, str]]
    defines: dict[str, list[dict[str, Any]]]


def _agents_user(agent_id: str, *, append_only: bool) -> _User:
    return _User(**rights("mongodb", agent_id)["agent-append-only" if append_only else "agent"])


class MongoAccess(Closable):
    """Gives and takes rights on one cluster, as its administrator; all of it can be repeated."""

    def __init__(self, admin_url: str) -> None:
        self._url = admin_url
        self._clients = Clients(limit=1)

    @retried
    def grant(self, key: AgentKey, *, append_only: bool = False) -> None:
        """Let this key into its agent's database, which has its indexes afterwards."""
        with self._client() as client:
            # Here, because an append-only agent may not.
            ensure_indexes(client[PREFIX + key.agent_id])
            user = _agents_user(key.agent_id, append_only=append_only)
            _ensure(client, user, key.key_id, key.secret.get_secret_value())

    @retried
    def change(self, agent_id: str, key_id: str, *, append_only: bool) -> None:
        """Give a key other rights, on its open connections too; what it has running then ends."""
        with self._client() as client:
            user = _agents_user(agent_id, append_only=append_only)
            _change(client[user.database], user, checked_key_id(key_id))

    @retried
    def ensure_evaluator(self, password: str) -> None:
        """Let the evaluator read every agent's logs and memories, with this password."""
        with self._client() as client:
            user = _User(**rights("mongodb")["evaluator"])
            _ensure(client, user, MONGODB_EVALUATOR, password)

    @retried
    def keys(self, agent_id: str) -> list[str]:
        """The ids of the keys that this agent's database knows."""
        with self._client() as client:
            users = client[PREFIX + checked_agent_id(agent_id)].command("usersInfo", 1)["users"]
            return sorted(str(user["user"]) for user in users)

    @retried
    def revoke(self, agent_id: str, key_id: str) -> None:
        """Shut this key out at once, and end what it has running."""
        with self._client() as client:
            _shut_out(client[PREFIX + checked_agent_id(agent_id)], checked_key_id(key_id))

    def close(self) -> None:
        """Close every connection."""
        self._clients.close()

    @contextmanager
    def _client(self) -> Iterator[MongoClient[Document]]:
        with self._clients.lease(self._url) as client:
            yield client


def _ensure(client: MongoClient[Document], user: _User, name: str, password: str) -> None:
    database = client[user.database]
    _define(database, user)
    _created_or_updated(database, "User", name, _USER_THERE, pwd=password, roles=user.roles)


def _define(database: Database[Document], user: _User) -> None:
    for role, privileges in user.defines.items():
        _created_or_updated(database, "Role", role, _ROLE_THERE, privileges=privileges, roles=[])


def _change(database: Database[Document], user: _User, name: str) -> None:
    _define(database, user)
    with _missing_is_fine():
        database.command("updateUser", name, roles=user.roles)
        _end_sessions(database, name)


def _end_sessions(database: Database[Document], name: str) -> None:
    database.client.admin.command("killAllSessions", [{"user": name, "db": database.name}])


@contextmanager
def _missing_is_fine() -> Iterator[None]:
    """Let pass that a user is not there: not yet, or no more."""
    try:
        yield
    except OperationFailure as error:
        if error.code != _NO_SUCH_USER:
            raise


def _created_or_updated(
    database: Database[Document], kind: str, name: str, there: int, **content: Any
) -> None:
    try:
        database.command(f"create{kind}", name, **content)
    except OperationFailure as error:
        if error.code != there:
            raise
        database.command(f"update{kind}", name, **content)


def _shut_out(database: Database[Document], name: str) -> None:
    with _missing_is_fine():
        # In this order: sessions can be ended only of a user that is there, and one that still
        # had rights could begin new work between the two.
        database.command("updateUser", name, roles=[])
        _end_sessions(database, name)
        database.command("dropUser", name)
