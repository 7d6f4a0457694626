"""Batches cut off in the middle, and repeated."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    LogEntry,
    Memory,
    ProgressUpdate,
    Upload,
)
from storage.errors import StoreUnavailable
from storage.minio import clients as minio_clients
from storage.minio.describing import described
from storage.mongo import clients as mongo_clients
from storage.stores import Stores
from storage.writer import Written
from tests.faults.conftest import Proxied

EVERYTHING = Written(tasks=1, progress=30, logs=30, memories=1, files=10)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minio_clients, "READ_SECONDS", 1.5)
    monkeypatch.setattr(mongo_clients, "REPLY_MS", 1500)
    monkeypatch.setattr(mongo_clients, "AWAY_MS", 700)


@pytest.fixture
def through(proxied: Proxied) -> Iterator[Stores]:
    """The stores as they are reached through the proxies, every connection open."""
    with closing(Stores(proxied.settings)) as stores:
        yield stores


def records_of(agent_id: str) -> list[AnyRecord]:
    task = AgentTask(agent_id=agent_id, title="a task")
    about: dict[str, Any] = {"agent_id": agent_id, "task_id": task.id}
    uploads = [_upload(about, bytes([number]) * 100) for number in range(10)]
    return [
        task,
        *(ProgressUpdate(**about, step=number) for number in range(30)),
        *(LogEntry(**about, message=f"line {number}") for number in range(30)),
        Memory(**about, content="worth knowing"),
        *uploads,
    ]


def _upload(about: dict[str, Any], content: bytes) -> Upload:
    return Upload(file=described(content, Bucket.BINARIES, **about, metadata={}), content=content)


def counts(stores: Stores, records: list[AnyRecord]) -> dict[str, int]:
    """What the stores themselves hold, counted without our reading code's filters."""
    task = records[0]
    assert isinstance(task, AgentTask)
    agent_id = task.agent_id
    with stores.postgres.connection() as connection:
        rows = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index,arg-type]  # count(*) gives a row
            for table in ("tasks", "task_progress", "binary_file_metadata")
        }
    return rows | {
        "logs": len(stores.mongo.read_logs(agent_id=agent_id, limit=1000)),
        "memories": len(stores.mongo.read_memories(agent_id=agent_id, limit=1000)),
        "objects": len(list(stores.minio.list("binaries", f"{agent_id}/"))),
    }


COMPLETE = {
    "tasks": 1,
    "task_progress": 30,
    "binary_file_metadata": 10,
    "logs": 30,
    "memories": 1,
    "objects": 10,
}


@pytest.mark.parametrize(
    ("store", "marker"),
    [("minio", b"PUT /binaries/"), ("mongo", b"\x02insert\x00"), ("postgres", b"COMMIT")],
)
def test_a_reply_lost_after_the_commit_changes_nothing(
    through: Stores, proxied: Proxied, stores: Stores, agent_id: str, store: str, marker: bytes
) -> None:
    through.writer.write(records_of(agent_id + "-first"))
    records = records_of(agent_id)
    proxy = getattr(proxied, store)
    proxy.cut_reply_to(marker)

    assert through.writer.write(records) == EVERYTHING

    assert proxy.cuts == 1
    found = counts(stores, records)
    assert found == COMPLETE | {"tasks": 2, "task_progress": 60, "binary_file_metadata": 20}


@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
@pytest.mark.parametrize("store", ["minio", "mongo", "postgres"])
def test_a_batch_that_met_a_store_away_is_complete_once_repeated(
    through: Stores, proxied: Proxied, stores: Stores, agent_id: str, store: str, fault: str
) -> None:
    records = records_of(agent_id)
    getattr(getattr(proxied, store), fault)()
    with pytest.raises(StoreUnavailable):
        through.writer.write(records)
    getattr(proxied, store).forward()

    assert through.writer.write(records) == EVERYTHING

    assert counts(stores, records) == COMPLETE


def test_no_row_points_at_an_object_that_was_not_put(
    through: Stores, proxied: Proxied, stores: Stores, agent_id: str
) -> None:
    records = records_of(agent_id)
    proxied.minio.refuse()

    with pytest.raises(StoreUnavailable):
        through.writer.write(records)

    assert counts(stores, records) == dict.fromkeys(COMPLETE, 0)


def test_two_writers_of_the_same_batch_store_it_once(stores: Stores, agent_id: str) -> None:
    records = records_of(agent_id)
    others = [Stores(stores.settings) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: each.writer.write(records), others))
    for each in others:
        each.close()

    assert answers == [EVERYTHING] * 4
    assert counts(stores, records) == COMPLETE


def test_all_stores_frozen_are_reported_within_two_seconds(
    through: Stores, proxied: Proxied
) -> None:
    assert all(health.healthy for health in through.health())
    for proxy in (proxied.mongo, proxied.postgres, proxied.minio):
        proxy.black_hole()
    start = time.monotonic()

    answers = through.health()

    assert time.monotonic() - start < 2
    assert [health.healthy for health in answers] == [False] * 3


def test_a_file_that_vanishes_between_two_tries_is_refused_and_the_rest_stored(
    through: Stores, proxied: Proxied, stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    records = records_of(agent_id)
    source = tmp_path / "gone.txt"
    source.write_text("here today")
    about = {"agent_id": agent_id, "task_id": records[0].id}
    file = described(source, Bucket.BINARIES, **about, metadata={})  # type: ignore[arg-type]  # ids as they are
    proxied.mongo.refuse()
    with pytest.raises(StoreUnavailable):
        through.writer.write([*records, Upload(file=file, content=source)])
    source.unlink()
    proxied.mongo.forward()

    written = through.writer.write([*records, Upload(file=file, content=source)])

    assert [rejection.id for rejection in written.rejected] == [file.id]
    assert written.files == 10
