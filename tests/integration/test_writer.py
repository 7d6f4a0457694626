"""Mixed records into the three stores."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    Evaluation,
    LogEntry,
    Memory,
    ProgressUpdate,
    Status,
    StoredFile,
    Upload,
    new_id,
    object_path,
    utcnow,
)
from storage.batches import MOST_BYTES, batches
from storage.minio.describing import described
from storage.stores import Stores
from storage.writer import RecordWriter, Written


@pytest.fixture
def task(agent_id: str) -> AgentTask:
    return AgentTask(agent_id=agent_id, title="a task", status="in_progress")


def upload(task: AgentTask, content: bytes | Path, **metadata: Any) -> Upload:
    file = described(
        content, Bucket.SCREENSHOTS, agent_id=task.agent_id, task_id=task.id, metadata=metadata
    )
    return Upload(file=file, content=content)


def mixed(task: AgentTask, source: Path) -> list[AnyRecord]:
    source.write_bytes(b"\x89PNG\r\n\x1a\n from disk")
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    return [
        LogEntry(**about, message="said before its task is known"),
        ProgressUpdate(**about, step=1, progress_percent=50),
        task,
        Memory(**about, content="worth knowing"),
        upload(task, b"\x89PNG\r\n\x1a\n from memory", step=1),
        upload(task, source, step=2),
        Evaluation(**about, scorer="outcome", scorer_version="1", score=0.5),
    ]


def test_every_kind_arrives_unchanged_whatever_the_order(
    writer: RecordWriter, stores: Stores, task: AgentTask, agent_id: str, tmp_path: Path
) -> None:
    records = mixed(task, tmp_path / "shot.png")

    written = writer.write(records)

    assert written == Written(tasks=1, progress=1, logs=1, memories=1, files=2, evaluations=1)
    stored = stores.postgres.get_task(task.id)
    assert stored.model_copy(update={"updated_at": None, "started_at": None}) == task
    assert list(stores.postgres.get_task_progress(task.id)) == [records[1]]
    assert list(stores.postgres.get_evaluations(task_id=task.id)) == [records[6]]
    assert list(stores.mongo.read_logs(agent_id=agent_id)) == [records[0]]
    assert list(stores.mongo.read_memories(agent_id=agent_id)) == [records[3]]
    for row in stores.postgres.get_binary_files(task_id=task.id):
        assert row.etag
        content = stores.minio.download(row.bucket, row.object_path)
        assert hashlib.sha256(content).hexdigest() == row.sha256


def test_writing_again_changes_nothing(
    writer: RecordWriter, stores: Stores, task: AgentTask, agent_id: str, tmp_path: Path
) -> None:
    records = mixed(task, tmp_path / "shot.png")
    first = writer.write(records)
    files = list(stores.postgres.get_binary_files(task_id=task.id))

    assert writer.write(records) == first

    assert list(stores.postgres.get_binary_files(task_id=task.id)) == files
    assert len(stores.postgres.get_task_progress(task.id)) == 1
    assert len(stores.mongo.read_logs(agent_id=agent_id)) == 1


def test_nothing_to_write_needs_no_store() -> None:
    nobody: Any = None
    assert RecordWriter(nobody, nobody, nobody).write([]) == Written()


def test_an_identical_frame_is_one_object_with_several_rows(
    writer: RecordWriter, stores: Stores, task: AgentTask, agent_id: str
) -> None:
    frames = [upload(task, b"\x89PNG\r\n\x1a\n nothing moves", step=step) for step in range(5)]

    assert writer.write([task, *frames]).files == 5

    assert len(list(stores.minio.list("screenshots", f"{agent_id}/"))) == 1
    rows = stores.postgres.get_binary_files(task_id=task.id)
    assert sorted(row.metadata["step"] for row in rows) == [0, 1, 2, 3, 4]
    assert len({row.etag for row in rows}) == 1


def test_many_agents_go_to_their_own_databases(
    writer: RecordWriter, stores: Stores, agent_id: str
) -> None:
    agents = [f"{agent_id}-{number}" for number in range(12)]
    entries = [LogEntry(agent_id=agent, message=agent) for agent in agents]

    assert writer.write(entries).logs == 12

    for agent in agents:
        assert [entry.message for entry in stores.mongo.read_logs(agent_id=agent)] == [agent]


def poisons(task: AgentTask, folder: Path) -> Iterator[tuple[str, AnyRecord]]:
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    nobody = {"agent_id": task.agent_id, "task_id": new_id()}
    yield "LogEntry", LogEntry(**about, message="x" * 17_000_000)
    yield "Memory", Memory(**about, content="x" * 17_000_000)
    yield "ProgressUpdate", ProgressUpdate(**nobody)
    yield "Evaluation", Evaluation(**nobody, scorer="s", scorer_version="1", score=1)
    yield "StoredFile", upload(task.model_copy(update={"id": new_id()}), b"of no task")
    changed = folder / "changed"
    changed.write_bytes(b"before")
    late = upload(task, changed)
    changed.write_bytes(b"after.")
    yield "StoredFile", late
    gone = folder / "gone"
    gone.write_bytes(b"here today")
    late = upload(task, gone)
    gone.unlink()
    yield "StoredFile", late


def test_a_poisonous_record_stands_alone_with_its_reason_and_the_rest_is_stored(
    writer: RecordWriter, stores: Stores, task: AgentTask, agent_id: str, tmp_path: Path
) -> None:
    good = mixed(task, tmp_path / "shot.png")
    bad = list(poisons(task, tmp_path))

    written = writer.write([*good, *(record for _, record in bad)])

    identities = {
        (kind, record.file.id if isinstance(record, Upload) else record.id) for kind, record in bad
    }
    assert {(each.kind, each.id) for each in written.rejected} == identities
    assert all(each.reason for each in written.rejected)
    assert written == Written(1, 1, 1, 1, 2, 1, written.rejected)
    assert len(stores.postgres.get_binary_files(task_id=task.id)) == 2
    assert len(stores.mongo.read_logs(agent_id=agent_id)) == 1


def test_one_bad_row_among_a_thousand_is_the_only_one_refused(
    writer: RecordWriter, stores: Stores, task: AgentTask
) -> None:
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    rows = [ProgressUpdate(**about, step=step) for step in range(900)]
    orphan = ProgressUpdate(agent_id=task.agent_id, task_id=new_id())

    written = writer.write([task, *rows[:500], orphan, *rows[500:]])

    assert [each.id for each in written.rejected] == [orphan.id]
    assert written.progress == 900
    with stores.postgres.connection() as connection:
        assert connection.execute("SELECT count(*) FROM task_progress").fetchone() == (900,)


def evidence_at(stores: Stores, task: AgentTask) -> Any:
    with stores.postgres.connection() as connection:
        row = connection.execute("SELECT evidence_at FROM tasks WHERE id = %s", [task.id])
        return row.fetchone()


@pytest.mark.parametrize("kind", ["LogEntry", "Memory", "ProgressUpdate", "Upload"])
def test_news_of_any_kind_makes_the_task_due_for_evaluation_and_a_verdict_does_not(
    writer: RecordWriter, stores: Stores, task: AgentTask, tmp_path: Path, kind: str
) -> None:
    records = mixed(task, tmp_path / "shot.png")
    writer.write([task])
    before = evidence_at(stores, task)

    writer.write([record for record in records if type(record).__name__ == kind])
    after = evidence_at(stores, task)
    writer.write([record for record in records if isinstance(record, Evaluation)])

    assert before < after == evidence_at(stores, task)


def test_a_status_never_goes_back_within_a_batch(
    writer: RecordWriter, stores: Stores, task: AgentTask
) -> None:
    done = task.model_copy(
        update={"status": Status.COMPLETED, "status_at": utcnow() + timedelta(seconds=1)}
    )
    writer.write([done, task])
    assert stores.postgres.get_task(task.id).status is Status.COMPLETED


def test_memory_stays_flat_however_long_the_stream(
    writer: RecordWriter, task: AgentTask, tmp_path: Path
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"\0" * 40_000_000)
    writer.write([task])

    def stream() -> Iterator[AnyRecord]:
        yield upload(task, large)
        for number in range(100):
            content = number.to_bytes(2) * 500_000
            sha256 = hashlib.sha256(content).hexdigest()
            path = object_path(task.agent_id, task.id, sha256, "")
            file = StoredFile(
                agent_id=task.agent_id,
                task_id=task.id,
                bucket=Bucket.BINARIES,
                object_path=path,
                content_type="application/octet-stream",
                size_bytes=len(content),
                sha256=sha256,
            )
            yield Upload(file=file, content=content)

    tracemalloc.start()
    try:
        assert writer.write(stream()).files == 101
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MOST_BYTES


def test_a_batch_is_bounded_in_records_and_in_bytes(task: AgentTask) -> None:
    entries = [LogEntry(agent_id=task.agent_id, message=str(number)) for number in range(2500)]
    assert [len(batch.logs) for batch in batches(entries)] == [1000, 1000, 500]
    heavy = upload(task, b"x" * (MOST_BYTES // 2))
    assert [len(batch.uploads) for batch in batches([heavy] * 5)] == [2, 2, 1]
