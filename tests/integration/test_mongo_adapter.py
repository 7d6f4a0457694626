"""Logs and memories on a real server."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pymongo import MongoClient

from agentruns.models import LogEntry, Memory, new_id, utcnow
from storage.errors import RecordRejected
from storage.mongo import MongoAdapter
from storage.settings import Settings

Document = dict[str, Any]


@pytest.fixture
def database(settings: Settings, agent_id: str) -> Iterator[Any]:
    """The agent's database, as the driver sees it."""
    with MongoClient[Document](
        settings.required("mongodb_url"), uuidRepresentation="standard", tz_aware=True
    ) as client:
        yield client[f"agent_{agent_id}"]


def entries(agent_id: str, count: int, **fields: Any) -> list[LogEntry]:
    start = utcnow()
    return [
        LogEntry(
            agent_id=agent_id,
            message=str(number),
            # Three share each moment, so that only the id tells them apart.
            created_at=start + timedelta(milliseconds=number // 3),
            **fields,
        )
        for number in range(count)
    ]


def test_what_is_written_is_read_back_unchanged(mongo: MongoAdapter) -> None:
    written = mongo.write_log(
        "opened the page", "warning", new_id(), url="https://example.org", nested={"a": [1, None]}
    )

    (read,) = mongo.read_logs()

    assert read == written
    assert read.data == {"url": "https://example.org", "nested": {"a": [1, None]}}
    assert read.created_at.tzinfo is UTC


def test_the_place_among_everything_said_is_kept_where_somebody_counted(
    mongo: MongoAdapter, database: Any, agent_id: str
) -> None:
    said = [*entries(agent_id, 1), *entries(agent_id, 1, sequence=2**62 + 1)]
    memory = mongo.write_memory(Memory(agent_id=agent_id, content="x", sequence=7))
    mongo.store_logs(agent_id, said)

    assert {entry.id: entry for entry in mongo.read_logs()} == {entry.id: entry for entry in said}
    assert list(mongo.read_memories()) == [memory]
    assert database.agent_logs.count_documents({"sequence": {"$exists": False}}) == 1


def test_a_memory_is_read_back_unchanged_and_found_by_its_type(mongo: MongoAdapter) -> None:
    kept = mongo.write_memory("prefers aisle seats", "preference", source="form")
    mongo.write_memory("saw a banner")

    assert list(mongo.read_memories("preference")) == [kept]
    assert len(mongo.read_memories()) == 2


def test_a_task_id_may_be_text(mongo: MongoAdapter) -> None:
    task = new_id()
    assert mongo.write_log("hello", task_id=str(task)).task_id == task
    assert len(mongo.read_logs(task_id=str(task).upper())) == 1


def test_logs_are_found_by_level_by_task_and_by_time(mongo: MongoAdapter) -> None:
    task = new_id()
    old = mongo.write_log(
        LogEntry(
            agent_id=mongo.write_log("an info").agent_id,
            message="an old error",
            level="error",
            task_id=task,
            created_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
    )
    new = mongo.write_log("a new error", "error", task)

    assert list(mongo.read_logs(level="error")) == [new, old]
    assert list(mongo.read_logs(task_id=str(task), level="error")) == [new, old]
    assert list(mongo.read_logs(task_id=task, since=datetime(2021, 1, 1, tzinfo=UTC))) == [new]


def test_pages_hold_everything_once_newest_first(mongo: MongoAdapter, agent_id: str) -> None:
    mongo.store_logs(agent_id, entries(agent_id, 50))
    seen: list[LogEntry] = []
    after = None
    while True:
        page = mongo.read_logs(limit=7, after=after, since=utcnow() - timedelta(hours=1))
        seen += page
        after = page.next
        if after is None:
            break

    assert len({entry.id for entry in seen}) == 50
    assert seen == sorted(seen, key=lambda entry: (entry.created_at, entry.id), reverse=True)


def test_storing_the_same_entries_again_changes_nothing(mongo: MongoAdapter, agent_id: str) -> None:
    batch = entries(agent_id, 20)
    mongo.store_logs(agent_id, batch[:10])

    assert mongo.store_logs(agent_id, batch) == []
    assert mongo.store_logs(agent_id, batch) == []

    assert len(mongo.read_logs()) == 20


def test_a_document_over_16_mb_is_refused_alone(mongo: MongoAdapter, agent_id: str) -> None:
    batch = entries(agent_id, 9)
    monster = LogEntry(agent_id=agent_id, message="x" * 17_000_000)

    refused = mongo.store_logs(agent_id, [*batch[:4], monster, *batch[4:]])

    assert [each.id for each in refused] == [monster.id]
    assert "16 MB" in refused[0].reason
    assert len(mongo.read_logs()) == 9
    with pytest.raises(RecordRejected, match="16 MB"):
        mongo.write_log(monster)


@pytest.mark.parametrize(
    "data",
    [
        {"$set": 1, "a.b": {"$where": "1"}, "": "empty"},
        {"big": 2**63 - 1, "small": -(2**63), "float": 1.5},
        {"text": "emoji 🎉 and \u202e right-to-left"},
        {"list": [[], {}, [[1]]]},
    ],
    ids=["operators as keys", "limits of 64 bits", "unusual text", "empty containers"],
)
def test_any_storable_json_survives(mongo: MongoAdapter, agent_id: str, data: Document) -> None:
    entry = LogEntry(agent_id=agent_id, message="m", data=data)
    mongo.write_log(entry)
    assert list(mongo.read_logs()) == [entry]


def test_the_deepest_json_that_a_model_takes_is_stored(mongo: MongoAdapter) -> None:
    data: Document = {}
    for _ in range(78):
        data = {"a": data}
    mongo.write_log("deep", deep=data)
    assert mongo.read_logs()[0].data == {"deep": data}


@pytest.mark.parametrize(
    "arguments",
    [
        {"task_id": {"$ne": None}},
        {"level": {"$ne": "info"}},
        {"level": "loud"},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001 - the naive time is what is refused
        {"since": {"$gt": 0}},
        {"limit": 0},
        {"limit": 1001},
        {"after": "not a cursor"},
        {"after": {"$gt": ""}},
        {"task_id": "not-a-uuid"},
    ],
    ids=str,
)
def test_what_is_no_plain_value_never_reaches_the_server(
    mongo: MongoAdapter, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        mongo.read_logs(**arguments)


def test_an_operator_posing_as_a_memory_type_is_refused(mongo: MongoAdapter) -> None:
    with pytest.raises(ValueError, match="must be text"):
        mongo.read_memories(memory_type={"$ne": ""})  # type: ignore[arg-type]  # the attack


@pytest.mark.parametrize(
    "hostile",
    ["", "..", "Agent", "a/b", "a.b", "a b", "a\0", "a$b", "x" * 58, "ä", "-a", "a\n"],
    ids=repr,
)
def test_what_is_no_agent_id_opens_no_database(settings: Settings, hostile: str) -> None:
    with (
        closing(MongoAdapter(cluster_mode=True, settings=settings)) as mongo,
        pytest.raises(ValueError, match="agent"),
    ):
        mongo.read_logs(agent_id=hostile)


def test_an_adapter_for_one_agent_serves_no_other(mongo: MongoAdapter, agent_id: str) -> None:
    with pytest.raises(ValueError, match=f"is for agent {agent_id}"):
        mongo.read_logs(agent_id="another")
    with pytest.raises(ValueError, match=f"is for agent {agent_id}"):
        mongo.write_log(LogEntry(agent_id="another", message="not mine"))


def test_a_document_that_is_no_log_entry_is_left_out(
    mongo: MongoAdapter, database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = mongo.write_log("good")
    database.agent_logs.insert_one({"_id": new_id(), "created_at": utcnow(), "level": "loud"})

    assert list(mongo.read_logs()) == [good]
    assert "is not a LogEntry" in caplog.text


def test_counts_by_level_are_exact_for_a_batch_of_tasks(mongo: MongoAdapter, agent_id: str) -> None:
    first, second, silent = new_id(), new_id(), new_id()
    mongo.store_logs(agent_id, entries(agent_id, 5, task_id=first))
    mongo.store_logs(agent_id, entries(agent_id, 2, task_id=first, level="error"))
    mongo.store_logs(agent_id, entries(agent_id, 3, task_id=second))
    mongo.store_logs(agent_id, entries(agent_id, 4))

    assert mongo.count_logs(agent_id, [first, second, silent]) == {
        first: {"info": 5, "error": 2},
        second: {"info": 3},
    }


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        ("read_logs", {}),
        ("read_logs", {"level": "error"}),
        ("read_logs", {"task_id": UUID(int=5)}),
        ("read_logs", {"task_id": UUID(int=5), "level": "error"}),
        ("read_logs", {"level": "error", "since": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("read_memories", {}),
        ("read_memories", {"memory_type": "observation"}),
        ("read_memories", {"task_id": UUID(int=5), "memory_type": "observation"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("following", [False, True], ids=["first page", "following page"])
def test_every_list_is_read_from_an_index_in_order(
    mongo: MongoAdapter, database: Any, read: str, wanted: Document, following: bool
) -> None:
    agent_id = database.name.removeprefix("agent_")
    mongo.store_logs(agent_id, entries(agent_id, 5, level="error", task_id=UUID(int=5)))
    mongo.store_memories(
        agent_id,
        [Memory(agent_id=agent_id, content=str(n), task_id=UUID(int=5)) for n in range(5)],
    )
    after = getattr(mongo, read)(**wanted, limit=2).next if following else None
    database.command("profile", 2)

    getattr(mongo, read)(**wanted, limit=2, after=after)

    database.command("profile", 0)
    (seen,) = database["system.profile"].find({"op": "query", "ns": {"$regex": r"\.agent_"}})
    assert "IXSCAN" in seen["planSummary"]
    assert not seen.get("hasSortStage")


def test_counting_reads_no_document(mongo: MongoAdapter, database: Any, agent_id: str) -> None:
    mongo.store_logs(agent_id, entries(agent_id, 50, task_id=UUID(int=5)))
    database.command("profile", 2)

    mongo.count_logs(agent_id, [UUID(int=5), UUID(int=6)])

    database.command("profile", 0)
    (seen,) = database["system.profile"].find({"command.aggregate": "agent_logs"})
    assert (seen["keysExamined"] > 0, seen["docsExamined"]) == (True, 0)


def test_the_indexes_of_the_original_design_are_there(mongo: MongoAdapter, database: Any) -> None:
    mongo.write_log("opens the database")
    leading = {next(iter(index["key"])) for index in database.agent_logs.list_indexes()}
    assert leading == {"_id", "agent_id", "created_at", "level", "task_id"}


def test_a_database_that_was_deleted_gets_its_indexes_back(
    mongo: MongoAdapter, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.mongo.clusters._SECONDS", 0)
    mongo.write_log("opens the database")
    database.client.drop_database(database.name)
    mongo.write_log("opens it again")
    assert "level" in database.agent_logs.index_information()


def test_a_document_is_on_disk_when_the_call_returns(
    mongo: MongoAdapter, database: Any, agent_id: str
) -> None:
    mongo.write_log("opens the database")
    database.command("profile", 2)
    mongo.store_logs(agent_id, entries(agent_id, 1))
    database.command("profile", 0)
    (seen,) = database["system.profile"].find({"op": "insert"})
    assert seen["command"]["writeConcern"] == {"j": True}


def test_health_says_version_and_address(mongo: MongoAdapter) -> None:
    health = mongo.health_check()
    assert health.healthy
    assert health.detail.startswith("MongoDB ")
    assert "@" not in health.detail
