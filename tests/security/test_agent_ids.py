"""An id that is none opens no door; ids that look alike or reserved stay apart."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from pymongo import MongoClient

from agentruns.models import AgentTask, Evaluation, LogEntry, Memory, Page, ProgressUpdate, new_id
from apps.cli.values import check_agent_id
from storage.minio import MinIOAdapter
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.settings import Settings
from storage.stores import Stores
from tests import counted_attacks

pytestmark = pytest.mark.promise(6, by="us")

HOSTILE = [
    "", ".", "..", "-a", "A", "Agent", "a/b", "a//b", "../a", "a\\b", "a.b", "a b", "a\n", "a\0",
    "a$b", "$where", "a'; DROP TABLE tasks; --", '{"$ne": null}', "ä", "a\u202eb", "x" * 58,
]  # fmt: skip
#: Names that a store keeps for itself, or that only differ at their end.
ALIKE = ["admin", "local", "config", "postgres", "public", "a", "ab", "x" * 56, "x" * 57]
PNG = b"\x89PNG\r\n\x1a\n and so on"


def logs_of(settings: Settings, agent_id: str) -> Page[LogEntry]:
    with closing(MongoAdapter(agent_id, settings=settings)) as mongo:
        return mongo.read_logs()


Door = Callable[[Stores, Settings, str], object]

DOORS: dict[str, Door] = {
    "a task": lambda stores, _, id_: stores.postgres.create_task(id_, "title"),
    "tasks": lambda stores, _, id_: stores.postgres.get_tasks(agent_id=id_),
    "progress": lambda stores, _, id_: stores.postgres.get_recent_progress(agent_id=id_),
    "files": lambda stores, _, id_: stores.postgres.get_binary_files(agent_id=id_),
    "verdicts": lambda stores, _, id_: stores.postgres.get_evaluations(agent_id=id_),
    "an agent's logs": lambda _, settings, id_: logs_of(settings, id_),
    "any agent's logs": lambda stores, _, id_: stores.mongo.read_logs(agent_id=id_),
    "all agents' logs": lambda stores, _, id_: stores.mongo.read_all_agent_logs([id_]),
    "log counts": lambda stores, _, id_: stores.mongo.count_logs(id_, [new_id()]),
    "memories": lambda stores, _, id_: stores.mongo.read_memories(agent_id=id_),
    "an agent's upload": lambda _, settings, id_: MinIOAdapter(
        id_, settings=settings
    ).upload_screenshot(PNG),
    "an upload": lambda stores, _, id_: stores.minio.upload_file(b"x", agent_id=id_),
    "an entry": lambda _, __, id_: LogEntry(agent_id=id_, message="m"),
    "a memory": lambda _, __, id_: Memory(agent_id=id_, content="c"),
    "a step": lambda _, __, id_: ProgressUpdate(agent_id=id_, task_id=new_id()),
    "a verdict": lambda _, __, id_: Evaluation(
        agent_id=id_, task_id=new_id(), scorer="s", scorer_version="1", score=1
    ),
    "the command line": lambda _, __, id_: check_agent_id(str, id_),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_hostile_id_passes_a_door_that_an_agent_passes(
    stores: Stores,
    settings: Settings,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
    door: str,
) -> None:
    DOORS[door](stores, settings, agent_id)
    counted_attacks.allowed("us")
    # An empty id may not become the one of the environment.
    monkeypatch.setenv("AGENT_ID", agent_id)
    known = settings.model_copy(update={"agent_id": agent_id})
    for hostile in HOSTILE:
        with pytest.raises(ValueError, match=r"."):
            DOORS[door](stores, known, hostile)
        counted_attacks.refused("us")


@pytest.fixture
def said(settings: Settings, agent_id: str) -> Iterator[str]:
    """What the test's agents say; their logs go with the test."""
    yield agent_id
    with MongoClient[dict[str, Any]](settings.required("mongodb_url")) as client:
        for agent in ALIKE:
            client[f"agent_{agent}"]["agent_logs"].delete_many({"data.test": agent_id})


def test_agents_with_names_alike_or_reserved_see_only_what_is_theirs(
    settings: Settings, postgres: PostgresAdapter, said: str
) -> None:
    for agent in ALIKE:
        postgres.create_task(agent, f"of {agent}")
        with closing(MongoAdapter(agent, settings=settings)) as mongo:
            mongo.write_log(f"of {agent}", test=said)
    for agent in ALIKE:
        assert [task.title for task in postgres.get_tasks(agent_id=agent)] == [f"of {agent}"]
        entries = [each for each in logs_of(settings, agent) if each.data.get("test") == said]
        assert [entry.message for entry in entries] == [f"of {agent}"]


def test_an_agent_called_as_a_database_of_the_server_writes_elsewhere(
    settings: Settings, said: str
) -> None:
    with closing(MongoAdapter("admin", settings=settings)) as mongo:
        mongo.write_log("mine", test=said)
    with MongoClient[dict[str, Any]](settings.required("mongodb_url")) as client:
        assert "agent_logs" in client["agent_admin"].list_collection_names()
        assert "agent_logs" not in client["admin"].list_collection_names()


def test_an_object_may_not_lie_under_a_sibling_whose_name_begins_alike(
    minio: MinIOAdapter, agent_id: str
) -> None:
    file = minio.upload_screenshot(PNG).file
    with pytest.raises(ValueError, match="must start with"):
        type(file).model_validate(
            file.model_dump() | {"object_path": f"{agent_id}b/{file.sha256}.png"}
        )


def test_a_task_keeps_its_agent_and_its_end_whoever_writes_it_again(
    postgres: PostgresAdapter, agent_id: str
) -> None:
    task = postgres.create_task(agent_id, "mine")
    stolen = AgentTask(id=task.id, agent_id=f"{agent_id}b", title="stolen", status="completed")

    postgres.store_rows(tasks=[stolen])
    assert postgres.get_task(task.id) == task

    postgres.store_rows(tasks=[stolen.model_copy(update={"agent_id": agent_id})])
    assert postgres.get_task(task.id).status == "completed"
