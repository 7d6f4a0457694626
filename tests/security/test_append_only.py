"""A known agent becomes append-only and back, in each store and on connections that are open."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from minio import Minio
from minio.error import S3Error
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from storage.access import AgentKey, AuditLog, Provisioning
from storage.access.credentials import environment_of
from storage.errors import AccessDenied, RecordNotFound, StorageError
from storage.settings import Settings
from tests.integration.test_cli import Run, own_spool, run
from tests.security.minio_access import Store

__all__ = ["own_spool", "run"]  # fixtures of other files

LOGS, UNAUTHORIZED = "agent_logs", 13


def code_of(call: Callable[[], object], expected: object) -> object:
    """The code with which a store refuses, which is the expected one; None when it does not."""
    try:
        call()
    except (OperationFailure, S3Error) as error:
        if error.code != expected:
            raise
        return error.code
    return None


class Opened:
    """Raw connections of one key that are open before its rights change."""

    def __init__(self, key: AgentKey, settings: Settings) -> None:
        values = environment_of(key, settings)
        self.agent_id = key.agent_id
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(values["MONGODB_URL"])
        self.logs = self.mongo[f"agent_{key.agent_id}"][LOGS]
        self.minio = Minio(
            values["MINIO_ENDPOINT"],
            access_key=values["MINIO_ACCESS_KEY"],
            secret_key=values["MINIO_SECRET_KEY"],
            secure=False,
            region="us-east-1",
        )

    def write(self, name: str) -> None:
        self.logs.insert_one({"_id": name})
        Store.put(self.minio, "screenshots", f"{self.agent_id}/{name}", b"x")

    def delete(self, name: str) -> list[str]:
        """Try to delete it in both stores; gives those that refuse."""
        path = f"{self.agent_id}/{name}"
        mongodb = code_of(lambda: self.logs.delete_one({"_id": name}), UNAUTHORIZED)
        minio = code_of(lambda: self.minio.remove_object("screenshots", path), "AccessDenied")
        return [store for store, code in (("mongodb", mongodb), ("minio", minio)) if code]


@pytest.fixture
def access(settings: Settings) -> Iterator[Provisioning]:
    with Provisioning(settings) as access:
        yield access


@pytest.fixture
def key(access: Provisioning, agent_id: str) -> AgentKey:
    key = access.add(agent_id)
    assert key
    return key


@pytest.fixture
def opened(key: AgentKey, settings: Settings) -> Iterator[Opened]:
    opened = Opened(key, settings)
    with opened.mongo:
        yield opened


EVERYWHERE = ["mongodb", "minio"]


def test_open_connections_stop_deleting_and_begin_again(
    run: Run, access: Provisioning, opened: Opened, agent_id: str
) -> None:
    opened.write("before")
    opened.write("kept")
    assert opened.delete("before") == []

    told = run("agents", "append-only", agent_id, "--json").json()
    assert (told["append_only"], len(told["keys"])) == (True, 1)
    assert access.agent(agent_id).append_only
    assert opened.delete("kept") == EVERYWHERE
    opened.write("still adds")

    assert run("agents", "append-only", agent_id, "--off", "--json").json()["append_only"] is False
    assert not access.agent(agent_id).append_only
    assert opened.delete("kept") == []


def test_a_cursor_that_was_open_gives_no_more(
    access: Provisioning, opened: Opened, agent_id: str
) -> None:
    opened.logs.insert_many([{"n": number} for number in range(10)])
    cursor = opened.logs.find(batch_size=2)
    cursor.next()
    access.restrict(agent_id)
    with pytest.raises(OperationFailure):
        list(cursor)
    assert len(list(opened.logs.find(batch_size=2))) == 10


def test_keys_that_come_later_are_append_only_too(
    access: Provisioning, settings: Settings, opened: Opened, agent_id: str
) -> None:
    access.restrict(agent_id)
    later = Opened(access.rotate(agent_id, timedelta(hours=1)), settings)
    with later.mongo:
        later.write("by the new key")
        assert later.delete("by the new key") == EVERYWHERE
    assert opened.delete("by the new key") == EVERYWHERE


def test_what_was_cut_off_is_finished_by_a_repeat_and_not_claimed_before(
    access: Provisioning, settings: Settings, opened: Opened, agent_id: str
) -> None:
    opened.write("x")
    away = {"minio_endpoint": "127.0.0.1:9"}
    with Provisioning(settings.model_copy(update=away)) as cut, pytest.raises(StorageError):
        cut.restrict(agent_id)
    assert not access.agent(agent_id).append_only

    for _ in range(2):
        access.restrict(agent_id)

    assert access.agent(agent_id).append_only
    assert opened.delete("x") == EVERYWHERE
    with Provisioning(settings.model_copy(update=away)) as cut, pytest.raises(StorageError):
        cut.restrict(agent_id, append_only=False)
    assert not access.agent(agent_id).append_only
    access.restrict(agent_id, append_only=False)
    assert opened.delete("x") == []


def test_each_change_is_noted_once(access: Provisioning, settings: Settings, key: AgentKey) -> None:
    for append_only in (True, True, False):
        access.restrict(key.agent_id, append_only=append_only)
    log = AuditLog(settings.required("postgres_url"))
    entries = log.page(agent_id=key.agent_id, what="rights changed")
    assert [entry.details for entry in entries] == [{"append_only": False}, {"append_only": True}]


def test_an_agent_that_is_disabled_stays_so(access: Provisioning, key: AgentKey) -> None:
    access.disable(key.agent_id)
    access.restrict(key.agent_id)
    agent = access.agent(key.agent_id)
    assert (agent.append_only, agent.disabled_at is None) == (True, False)


def test_nobody_is_made_append_only_who_is_not_known(
    access: Provisioning, agent_id: str, key: AgentKey
) -> None:
    with pytest.raises(RecordNotFound):
        access.restrict(f"{agent_id}x")
    with pytest.raises(AccessDenied, match=f"agentruns agents append-only {agent_id}"):
        access.add(agent_id, append_only=True)


def roles(settings: Settings, *key_ids: str) -> list[str]:
    with psycopg.connect(settings.required("postgres_url")) as connection:
        found = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(key_ids)]
        )
        return [name for (name,) in found]


def test_the_role_of_a_retired_key_is_dropped_and_no_other(
    access: Provisioning, settings: Settings, key: AgentKey
) -> None:
    """Also where the agent left a large object, which would hold the role."""
    with psycopg.connect(environment_of(key, settings)["POSTGRES_URL"]) as agent:
        agent.execute("SELECT lo_create(0)")
    old, new = key.key_id, access.rotate(key.agent_id, timedelta(hours=1)).key_id
    with psycopg.connect(settings.required("postgres_url")) as operator:
        operator.execute("SELECT revoke_agent_key(%s)", [old])
        assert operator.execute("SELECT drop_key_role(%s)", [old]).fetchone() == (False,)
    assert access.drop_roles() == ([], [])
    assert sorted(roles(settings, old, new)) == sorted([old, new])

    assert access.retire() == [old]
    assert access.drop_roles() == ([old], [])

    assert roles(settings, old, new) == [new]
    assert access.drop_roles() == ([], [])
    log = AuditLog(settings.required("postgres_url"))
    named = [entry.what for entry in log.page(agent_id=key.agent_id) if _about(entry, old)]
    assert {"key made", "key retired", "role dropped"} <= set(named)
    assert access.agent(key.agent_id).keys[1].key_id == old


def _about(entry: Any, key_id: str) -> bool:
    return bool(entry.details.get("key_id") == key_id)
