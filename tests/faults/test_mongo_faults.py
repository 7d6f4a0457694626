"""MongoDB away, frozen, cut off, refusing."""

import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from agentruns.models import LogEntry
from storage.errors import AccessDenied, StoreUnavailable
from storage.mongo import MongoAdapter, clients
from storage.settings import Settings
from tests.faults.conftest import Proxied


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadlines that are kept are short here, so that they can be waited for."""
    monkeypatch.setattr(clients, "REPLY_MS", 1500)
    monkeypatch.setattr(clients, "AWAY_MS", 700)


@pytest.fixture
def mongo(proxied: Proxied, agent_id: str) -> Iterator[MongoAdapter]:
    with closing(MongoAdapter(agent_id, settings=proxied.settings)) as adapter:
        yield adapter


def test_a_reply_lost_after_the_insert_leaves_every_entry_there_once(
    mongo: MongoAdapter, proxied: Proxied, agent_id: str
) -> None:
    mongo.write_log("first")
    entries = [LogEntry(agent_id=agent_id, message=str(number)) for number in range(50)]
    proxied.mongo.cut_reply_to(b"\x02insert\x00")

    assert mongo.store_logs(agent_id, entries) == []

    assert proxied.mongo.cuts == 1
    assert len(mongo.read_logs(limit=1000)) == 51


def test_a_frozen_server_is_reported_within_two_seconds(
    mongo: MongoAdapter, proxied: Proxied
) -> None:
    mongo.write_log("connected")
    proxied.mongo.black_hole()
    start = time.monotonic()

    health = mongo.health_check()

    assert time.monotonic() - start < 2
    assert not health.healthy
    assert "answer" in health.detail


def test_a_write_to_a_frozen_server_ends_by_its_deadline_and_can_be_repeated(
    mongo: MongoAdapter, proxied: Proxied
) -> None:
    entry = mongo.write_log("connected")
    proxied.mongo.black_hole()
    start = time.monotonic()

    with pytest.raises(StoreUnavailable, match="gives no answer"):
        mongo.write_log(entry)

    assert time.monotonic() - start < 6
    proxied.mongo.forward()
    mongo.write_log(entry)
    assert [found.id for found in mongo.read_logs()] == [entry.id]


def test_a_server_that_is_away_at_first_is_used_as_soon_as_it_is_back(
    mongo: MongoAdapter, proxied: Proxied
) -> None:
    proxied.mongo.refuse()
    with pytest.raises(StoreUnavailable):
        mongo.write_log("nobody hears")
    proxied.mongo.forward()

    mongo.write_log("somebody hears")

    assert [entry.message for entry in mongo.read_logs()] == ["somebody hears"]


def test_a_wrong_password_is_a_denial_that_does_not_repeat_it(
    settings: Settings, agent_id: str
) -> None:
    url = settings.required("mongodb_url")
    password = urlsplit(url).password or ""
    wrong = settings.model_copy(update={"mongodb_url": SecretStr(url.replace(password, "wr0ng!"))})

    with closing(MongoAdapter(agent_id, settings=wrong)) as mongo:
        with pytest.raises(AccessDenied) as refused:
            mongo.write_log("hello")
        health = mongo.health_check()

    assert not health.healthy
    assert "wr0ng!" not in str(refused.value) + health.detail


def test_a_cluster_that_is_away_leaves_the_others_logs_and_is_named(
    proxied: Proxied, settings: Settings, agent_id: str
) -> None:
    url = proxied.settings.required("mongodb_url")
    clusters = {f"{agent_id}-far*": SecretStr(url)}
    far, near = f"{agent_id}-far", f"{agent_id}-near"
    several = settings.model_copy(update={"mongodb_clusters": clusters})
    with closing(MongoAdapter(cluster_mode=True, settings=several)) as mongo:
        for agent in (far, near):
            mongo.write_log(LogEntry(agent_id=agent, message=f"by {agent}"))
        proxied.mongo.refuse()
        start = time.monotonic()

        page = mongo.read_all_agent_logs([far, near])

        assert time.monotonic() - start < 2
        assert [entry.agent_id for entry in page] == [near]
        assert page.missing == (far,)
        everybody = mongo.read_all_agent_logs()
        assert f"{agent_id}-far*" in everybody.missing


def test_when_no_cluster_answers_the_reading_fails(proxied: Proxied, agent_id: str) -> None:
    proxied.mongo.refuse()
    with (
        closing(MongoAdapter(cluster_mode=True, settings=proxied.settings)) as mongo,
        pytest.raises(StoreUnavailable),
    ):
        mongo.read_all_agent_logs([agent_id])
