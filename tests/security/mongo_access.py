"""MongoDB with keys of agents, and pymongo for whoever has one."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, OperationFailure, ServerSelectionTimeoutError

from storage.access.keys import AgentKey, new_key
from storage.access.mongo import MongoAccess
from tests import counted_attacks

Client = MongoClient[dict[str, Any]]

UNAUTHORIZED, WRONG_PASSWORD = 13, 18
LOGS, MEMORIES = "agent_logs", "agent_memories"


class Server(NamedTuple):
    """MongoDB, its administrator, and a way to connect as somebody else."""

    admin: Client
    access: MongoAccess
    address: str
    opened: ExitStack

    def agent(self, agent_id: str, *, append_only: bool = False) -> Client:
        """A new agent with something in its database."""
        return self.connected(self.granted(agent_id, append_only=append_only))

    def granted(self, agent_id: str, *, append_only: bool = False) -> AgentKey:
        key = new_key(agent_id)
        database = self.admin[f"agent_{agent_id}"]
        self.opened.callback(self.admin.drop_database, database.name)
        self.opened.callback(database.command, "dropAllRolesFromDatabase")
        self.opened.callback(database.command, "dropAllUsersFromDatabase")
        self.access.grant(key, append_only=append_only)
        for name in (LOGS, MEMORIES):
            database[name].insert_one({"_id": "first", "agent_id": agent_id, "secret": "s"})
        return key

    def connected(self, key: AgentKey) -> Client:
        name, secret = key.key_id, key.secret.get_secret_value()
        return self.client(name, secret, f"agent_{key.agent_id}")

    def client(self, user: str, password: str, database: str) -> Client:
        client: Client = MongoClient(
            f"mongodb://{self.address}",
            username=user,
            password=password,
            authSource=database,
            serverSelectionTimeoutMS=3000,
        )
        self.opened.enter_context(client)
        return client


def refusal(call: Callable[[], object]) -> int | None:
    """The server's code for it; a driver that was refused once repeats it as being away."""
    with pytest.raises((OperationFailure, ServerSelectionTimeoutError)) as refused:
        call()
    counted_attacks.refused("MongoDB")
    if isinstance(refused.value, ServerSelectionTimeoutError):
        return WRONG_PASSWORD if "AuthenticationFailed" in str(refused.value) else None
    if isinstance(refused.value, BulkWriteError):
        return int(refused.value.details["writeErrors"][0]["code"])
    return refused.value.code
