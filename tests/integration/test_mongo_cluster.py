"""Reading many agents on several clusters as one list."""

from collections.abc import Iterator
from contextlib import closing
from threading import Event, Thread

import pytest
from pydantic import SecretStr

from agentruns.models import LogEntry
from storage.errors import SettingsError
from storage.mongo import MongoAdapter
from storage.mongo.clients import Clients
from storage.settings import Settings


@pytest.fixture
def cluster(settings: Settings) -> Iterator[MongoAdapter]:
    with closing(MongoAdapter(cluster_mode=True, settings=settings)) as adapter:
        yield adapter


def spellings(url: str) -> list[str]:
    """Different URLs of the same server, which the adapter has to take for different clusters."""
    return [url, url + "&appname=second", url + "&appname=third"]


def test_logs_of_many_agents_come_in_time_order_and_in_pages(
    cluster: MongoAdapter, agent_id: str
) -> None:
    agents = [f"{agent_id}-{number}" for number in range(5)]
    written = [
        cluster.write_log(LogEntry(agent_id=agent, message=str(turn), level="error"))
        for turn in range(6)
        for agent in agents
    ]
    cluster.write_log(LogEntry(agent_id=agents[0], message="not an error"))
    seen: list[LogEntry] = []
    after = None
    while True:
        page = cluster.read_all_agent_logs(agents, level="error", limit=7, after=after)
        assert page.missing == ()
        seen += page
        after = page.next
        if after is None:
            break

    assert [entry.id for entry in seen] == [
        entry.id for entry in sorted(written, key=lambda e: (e.created_at, e.id), reverse=True)
    ]


def test_agents_are_found_where_their_pattern_says_and_nowhere_else(
    settings: Settings, agent_id: str
) -> None:
    first, second, third = spellings(settings.required("mongodb_url"))
    several = settings.model_copy(
        update={
            "mongodb_url": SecretStr(first),
            "mongodb_clusters": {
                f"{agent_id}-b*": SecretStr(second),
                f"{agent_id}-*": SecretStr(third),
            },
        }
    )
    with closing(MongoAdapter(cluster_mode=True, settings=several)) as cluster:
        for name in ("-a", "-b", ""):
            cluster.write_log(LogEntry(agent_id=agent_id + name, message="here"))

        everybody = [each for each in cluster.agents().agents if each.startswith(agent_id)]
        page = cluster.read_all_agent_logs(everybody)

    assert everybody == sorted(agent_id + name for name in ("-a", "-b", ""))
    assert len(page) == 3


def test_an_agent_without_a_cluster_is_a_clear_error(settings: Settings) -> None:
    only = settings.model_copy(
        update={"mongodb_url": None, "mongodb_clusters": {"browser-*": settings.mongodb_url}}
    )
    with (
        closing(MongoAdapter(cluster_mode=True, settings=only)) as cluster,
        pytest.raises(SettingsError, match="No cluster is set for agent desktop-1"),
    ):
        cluster.read_logs(agent_id="desktop-1")


def test_an_agent_nobody_heard_of_has_no_logs_and_gets_no_database(
    cluster: MongoAdapter, agent_id: str
) -> None:
    assert len(cluster.read_all_agent_logs([agent_id])) == 0
    assert agent_id not in cluster.agents().agents


def test_the_least_recently_used_client_is_closed(settings: Settings) -> None:
    clients = Clients(limit=2)
    first, second, third = spellings(settings.required("mongodb_url"))
    with clients.lease(first) as kept, clients.lease(second):
        pass
    with clients.lease(first) as again:
        assert again is kept
    with clients.lease(third):
        assert len(clients) == 2
    with clients.lease(first) as again:
        assert again is kept
        assert again.admin.command("ping")["ok"] == 1
    clients.close()
    assert len(clients) == 0


def test_a_client_at_work_is_closed_only_when_its_work_is_done(settings: Settings) -> None:
    clients = Clients(limit=1)
    first, second, _ = spellings(settings.required("mongodb_url"))
    leased, evicted, answers = Event(), Event(), []

    def work() -> None:
        with clients.lease(first) as client:
            leased.set()
            evicted.wait(10)
            answers.append(client.admin.command("ping")["ok"])

    worker = Thread(target=work)
    worker.start()
    leased.wait(10)
    with clients.lease(second) as client:
        client.admin.command("ping")
    evicted.set()
    worker.join()
    clients.close()

    assert answers == [1]
