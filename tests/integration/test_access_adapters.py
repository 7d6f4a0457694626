"""The adapters work with the credentials of one agent, of the evaluator and of the frontend."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from agentruns.models import LogEntry, Memory, new_id
from storage.access.keys import AgentKey, new_key
from storage.access.minio import MinioAccess
from storage.access.mongo import MongoAccess
from storage.access.roles import MONGODB_EVALUATOR as EVALUATOR
from storage.errors import AccessDenied, RecordNotFound, StoreUnavailable
from storage.minio import MinIOAdapter, make_buckets
from storage.mongo import MongoAdapter
from storage.mongo.clients import address
from storage.settings import Settings

pytestmark = pytest.mark.usefixtures("restored_components")

PNG = b"\x89PNG\r\n\x1a\n and so on"


class Accounts:
    """Both stores' provisioning, and settings for whoever got a key."""

    def __init__(self, settings: Settings, opened: ExitStack) -> None:
        self.settings, self._opened = settings, opened
        url = settings.required("mongodb_url")
        self._address = address(url)
        self._admin = opened.enter_context(MongoClient[dict[str, Any]](url))
        self.mongo, self.minio = opened.enter_context(MongoAccess(url)), MinioAccess(settings)

    def granted(self, agent_id: str, *, append_only: bool = False) -> AgentKey:
        key, database = new_key(agent_id), self._admin[f"agent_{agent_id}"]
        self._opened.callback(self.minio.revoke, key.key_id)
        self._opened.callback(database.command, "dropAllRolesFromDatabase")
        self._opened.callback(database.command, "dropAllUsersFromDatabase")
        self.mongo.grant(key, append_only=append_only)
        self.minio.grant(key, append_only=append_only)
        return key

    def of(self, key: AgentKey) -> Settings:
        url = f"{key.key_id}:{key.secret.get_secret_value()}@{self._address}"
        own = {
            "agent_id": key.agent_id,
            "mongodb_url": SecretStr(f"mongodb://{url}/?authSource=agent_{key.agent_id}"),
            "minio_access_key": SecretStr(key.minio_access_key),
            "minio_secret_key": key.secret,
        }
        return self.settings.model_copy(update=own)

    def of_evaluator(self) -> Settings:
        password = uuid4().hex
        self.mongo.ensure_evaluator(password)
        url = f"mongodb://{EVALUATOR}:{password}@{self._address}/?authSource=admin"
        return self.settings.model_copy(update={"mongodb_url": SecretStr(url)})

    def indexes(self, agent_id: str, collection: str) -> set[str]:
        return set(self._admin[f"agent_{agent_id}"][collection].index_information())


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    make_buckets(settings)
    with ExitStack() as opened:
        yield Accounts(settings, opened)


@pytest.mark.parametrize("append_only", [False, True])
def test_an_agent_writes_logs_and_memories_with_its_own_key(
    accounts: Accounts, agent_id: str, append_only: bool
) -> None:
    own = accounts.of(accounts.granted(agent_id, append_only=append_only))
    entry = LogEntry(agent_id=agent_id, message="m", task_id=new_id())
    memory = Memory(agent_id=agent_id, content="c")
    with MongoAdapter(agent_id, settings=own) as mongo:
        for _ in range(2):  # delivered again after a lost reply
            assert mongo.store_logs(agent_id, [entry]) == []
            assert mongo.store_memories(agent_id, [memory]) == []
        assert list(mongo.read_logs()) == [entry]
        assert list(mongo.read_memories()) == [memory]
        assert mongo.count_logs(agent_id, [entry.task_id or new_id()])
        assert mongo.health_check().healthy
    assert {"task_id", "level"} <= accounts.indexes(agent_id, "agent_logs")
    assert {"task_id", "memory_type"} <= accounts.indexes(agent_id, "agent_memories")


def test_an_agent_s_adapter_is_refused_another_s_records(accounts: Accounts, agent_id: str) -> None:
    other = f"{agent_id}x"
    accounts.granted(other)
    own = accounts.of(accounts.granted(agent_id))
    with MongoAdapter(cluster_mode=True, settings=own) as mongo:
        with pytest.raises(AccessDenied):
            mongo.store_logs(other, [LogEntry(agent_id=other, message="m")])
        assert mongo.agents().agents == [agent_id]
    with MongoAdapter(other, settings=own) as mongo:
        assert not mongo.health_check().healthy


def test_the_evaluator_reads_agents_that_come_while_it_runs(
    accounts: Accounts, agent_id: str
) -> None:
    with MongoAdapter(cluster_mode=True, settings=accounts.of_evaluator()) as evaluator:
        assert evaluator.health_check().healthy
        for agent in (agent_id, f"{agent_id}x"):
            own = accounts.of(accounts.granted(agent))
            with MongoAdapter(agent, settings=own) as mongo:
                entry = mongo.write_log("m")
            assert agent in evaluator.agents().agents
            assert list(evaluator.read_logs(agent_id=agent)) == [entry]
            assert list(evaluator.read_all_agent_logs([agent])) == [entry]
            with pytest.raises(AccessDenied):
                evaluator.store_logs(agent, [LogEntry(agent_id=agent, message="forged")])


@pytest.mark.parametrize("append_only", [False, True])
def test_an_agent_keeps_files_with_its_own_key(
    accounts: Accounts, agent_id: str, append_only: bool
) -> None:
    own = accounts.of(accounts.granted(agent_id, append_only=append_only))
    minio = MinIOAdapter(settings=own)
    path = minio.upload_screenshot(PNG)
    large = minio.upload_file(b"x" * 6_000_000)
    assert minio.download_screenshot(path) == PNG
    assert minio.stat("binaries", large).info.size == 6_000_000
    assert minio.upload_screenshot(PNG) == path
    assert minio.health_check().healthy
    with pytest.raises(RecordNotFound):
        minio.stat("screenshots", f"{agent_id}/none.png")
    with pytest.raises(AccessDenied):
        list(minio.list("screenshots", f"{agent_id}/"))
    if append_only:
        with pytest.raises(AccessDenied):
            minio.delete("screenshots", path)
    else:
        minio.delete("screenshots", path)


def test_a_revoked_key_is_told_as_refused_and_not_as_an_outage(
    accounts: Accounts, agent_id: str
) -> None:
    key = accounts.granted(agent_id)
    own = accounts.of(key)
    minio = MinIOAdapter(settings=own)
    with closing(MongoAdapter(agent_id, settings=own)) as mongo:
        mongo.write_log("m")
        accounts.mongo.revoke(agent_id, key.key_id)
        accounts.minio.revoke(key.key_id)
        for _ in range(3):
            with pytest.raises(AccessDenied):
                mongo.write_log("late")
            with pytest.raises(AccessDenied):
                minio.upload_screenshot(PNG)
        assert not mongo.health_check().healthy
        assert not minio.health_check().healthy


def test_a_frontend_is_well_when_it_can_show_screenshots(accounts: Accounts, agent_id: str) -> None:
    name, secret = f"f{agent_id}", uuid4().hex
    accounts.minio.ensure_frontend(name, secret)
    key = {"minio_access_key": SecretStr(name), "minio_secret_key": SecretStr(secret)}
    assert MinIOAdapter(settings=accounts.settings.model_copy(update=key)).health_check().healthy


@pytest.mark.parametrize("store", ["mongo", "minio"])
def test_provisioning_a_store_that_is_away_says_so_in_time(
    settings: Settings, agent_id: str, store: str
) -> None:
    key = new_key(agent_id)
    away = settings.model_copy(update={"minio_endpoint": "127.0.0.1:1"})
    with MongoAccess("mongodb://someone:secret@127.0.0.1:1") as mongo:
        access: Any = mongo if store == "mongo" else MinioAccess(away)
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 gives no answer") as told:
            access.grant(key)
    assert time.monotonic() - start < 15
    assert key.secret.get_secret_value() not in str(told.value)
