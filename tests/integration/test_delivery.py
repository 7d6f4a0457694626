"""A spool on its way into the three stores."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from agentruns.models import (
    AgentTask,
    AnyRecord,
    LogEntry,
    Memory,
    ProgressUpdate,
    Status,
    Upload,
    utcnow,
)
from agentruns.spool import Session, Spool, spool_status
from storage.access.agent_settings import settings_of
from storage.delivery import Delivery, files, supervisor
from storage.delivery.log_setup import shorten
from storage.delivery.poison import isolated
from storage.errors import DeliveryRunning
from storage.minio import MinIOAdapter
from storage.rejection import Rejection
from storage.stores import Stores
from storage.writer import PutResult, put_objects
from tests.integration.deliveries import (
    PNG,
    a_task,
    delivery_process,
    everything,
    records_of,
    stored,
    written,
)
from tests.integration.test_writer import evidence_at, upload

#: `AGENTRUNS_EVENTS` measures the memory with more than the few of every day.
EVENTS = int(os.environ.get("AGENTRUNS_EVENTS", "20000"))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def task(agent_id: str) -> AgentTask:
    return a_task(agent_id)


@pytest.fixture
def delivery(spool: Spool, stores: Stores) -> Delivery:
    return Delivery(spool, stores.settings)


def test_what_is_in_a_spool_arrives_in_order_and_the_spool_is_empty(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    written(spool, records_of(task, 50))

    drained = delivery.drain()

    assert drained.delivered == {"tasks": 1, "progress": 50, "logs": 50, "memories": 1, "files": 5}
    assert (drained.pending, drained.rejected) == (0, 0)
    assert spool.sessions() == []
    assert stored(stores, task) == everything(50)
    assert [step.step for step in stores.postgres.get_task_progress(task.id)] == list(range(50))
    logs = sorted(stores.mongo.read_logs(agent_id=task.agent_id), key=lambda log: log.sequence or 0)
    assert [log.message for log in logs] == [f"line {n}" for n in range(50)]


def test_delivering_the_same_spool_again_changes_nothing(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask, tmp_path: Path
) -> None:
    written(spool, records_of(task, 20))
    shutil.copytree(spool.folder, tmp_path / "copy")
    delivery.drain()
    files = list(stores.postgres.get_binary_files(task_id=task.id))

    drained = Delivery(Spool(tmp_path / "copy"), stores.settings).drain()

    assert drained.delivered["files"] == 5
    assert stored(stores, task) == everything(20)
    assert list(stores.postgres.get_binary_files(task_id=task.id)) == files


def test_a_spool_larger_than_a_batch_arrives_whole(
    spool: Spool, delivery: Delivery, stores: Stores, agent_id: str
) -> None:
    tasks = [a_task(agent_id) for _ in range(3)]
    for task in tasks:
        written(spool, records_of(task, 1300, pictures=3))

    assert delivery.drain().pending == 0

    for task in tasks:
        assert stored(stores, task) == everything(1300, pictures=3)


def test_a_segment_of_a_newer_agentruns_stays_and_holds_up_no_other(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    written(spool, records_of(a_task(task.agent_id), 5))
    (newer,) = spool.folder.glob("sessions/*/*/events.db")
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 99")
    written(spool, records_of(task, 5))

    delivery.serve(Event(), forever=False)

    assert stored(stores, task) == everything(5)
    assert newer.exists()


def test_nothing_to_deliver_needs_no_store_and_no_setting(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Delivery(spool).drain().pending == 0


def poisons(task: AgentTask) -> list[AnyRecord]:
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    nobody = a_task(task.agent_id)
    return [
        LogEntry(**about, message="x" * 17_000_000),
        Memory(**about, content="x" * 17_000_000),
        ProgressUpdate(agent_id=task.agent_id, task_id=nobody.id),
        upload(nobody, PNG + b"of no task"),
        upload(task, PNG + b"gone"),
        upload(task, PNG + b"changed"),
    ]


#: What the reasons of these poisons say.
WORDS = [
    "at most 16 MB",
    "at most 16 MB",
    "progress_of_own_task",
    "file_of_own_task",
    "its object is not in the spool",
    "not the one with SHA-256",
]


def spoil(spool: Spool, gone: Upload, changed: Upload) -> None:
    for path in spool.folder.glob("sessions/*/*/*.png"):
        if gone.file.sha256 in path.name:
            path.unlink()
        if changed.file.sha256 in path.name:
            path.write_bytes(PNG + b"CHANGED")


def test_what_no_store_takes_is_rejected_with_its_reason_and_the_rest_arrives(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    bad = poisons(task)
    written(spool, [*records_of(task, 30), *bad])
    spoil(spool, gone=bad[4], changed=bad[5])  # type: ignore[arg-type]  # the last two are uploads

    drained = delivery.drain()

    assert (drained.pending, drained.rejected) == (0, len(bad))
    assert stored(stores, task) == everything(30)
    with spool.ledger() as ledger:
        rejected = {each.id: each for each in ledger.rejected()}
    found = [rejected[str(each.file.id if isinstance(each, Upload) else each.id)] for each in bad]
    for each, words in zip(found, WORDS, strict=True):
        assert words in each.reason
        assert each.agent_id == task.agent_id
        assert each.task_id
    orphan = found[3].object
    assert orphan
    assert (spool.folder / "rejected" / orphan).read_bytes() == PNG + b"of no task"


def test_an_unexpected_error_is_laid_at_the_door_of_the_one_record_that_causes_it() -> None:
    entries = [LogEntry(agent_id="a", message=str(number)) for number in range(100)]
    kept: list[AnyRecord] = []

    def store(records: Sequence[AnyRecord]) -> list[Rejection]:
        if entries[41] in records:
            raise TypeError("cannot encode password=hunter2hunter2")
        kept.extend(records)
        return []

    (rejection,) = isolated(store, entries)

    assert rejection.id == entries[41].id
    assert rejection.reason == "TypeError: cannot encode password=[redacted]"
    assert kept == entries[:41] + entries[42:]


@pytest.mark.parametrize("error", [OSError("too many open files"), MemoryError()])
def test_an_error_of_this_machine_is_no_records_fault(error: Exception) -> None:
    def store(records: Sequence[AnyRecord]) -> list[Rejection]:
        raise error

    with pytest.raises(type(error)):
        isolated(store, [LogEntry(agent_id="a", message="harmless")])


@pytest.mark.parametrize("kind", [LogEntry, Memory])
def test_news_in_mongodb_makes_the_task_due_for_evaluation(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask, kind: type
) -> None:
    written(spool, [task])
    delivery.drain()
    before = evidence_at(stores, task)

    written(spool, [record for record in records_of(task, 1) if isinstance(record, kind)])
    delivery.drain()

    assert before < evidence_at(stores, task)
    with spool.ledger() as ledger:
        assert ledger.touched_agents() == []


def test_a_second_delivery_is_refused_and_its_process_ends_well(
    spool: Spool, delivery: Delivery, settings: Any
) -> None:
    lock = spool.prepare().delivery_lock()
    assert lock.acquire()

    lock.sign()
    with pytest.raises(DeliveryRunning, match=rf"at work .* \(process {os.getpid()}\)"):
        delivery.drain()
    with pytest.raises(DeliveryRunning):
        delivery.serve(Event(), forever=False)
    with delivery_process(spool) as process:
        _, said = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "Another delivery is at work" in said
    lock.release()
    assert delivery.drain().pending == 0


def test_a_delivery_with_a_wrong_password_leaves_the_rest_to_one_with_the_right_one(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(supervisor, "_REFUSED_SECONDS", 1.0)
    url = stores.settings.required("mongodb_url")
    wrong = url.replace(f":{urlsplit(url).password}@", ":hunter2@")
    settings = stores.settings.model_copy(update={"mongodb_url": SecretStr(wrong)})
    written(spool, records_of(task, 5))

    drained = Delivery(spool, settings).serve(Event(), forever=False)

    assert (drained.gave_up, drained.pending) == (True, 6)
    assert delivery.drain().pending == 0
    assert stored(stores, task) == everything(5)


def test_an_object_that_goes_before_it_is_put_is_refused_and_its_neighbours_arrive(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    written(spool, records_of(task, 1))

    def put(minio: MinIOAdapter, uploads: Sequence[Upload]) -> PutResult:
        assert isinstance(uploads[0].content, Path)
        uploads[0].content.unlink(missing_ok=True)
        return put_objects(minio, uploads)

    monkeypatch.setattr(files, "put_objects", put)
    drained = delivery.drain()

    assert (drained.pending, drained.rejected, drained.delivered["files"]) == (0, 1, 4)
    with spool.ledger() as ledger:
        assert "is not there any more" in ledger.rejected()[0].reason


def test_the_process_ends_by_itself_once_its_last_recorder_is_gone(
    spool: Spool, stores: Stores, task: AgentTask
) -> None:
    session = Session(spool)
    session.append(records_of(task, 10))
    with delivery_process(spool) as process:
        _until(lambda: stored(stores, task) == everything(10))
        session.append([LogEntry(agent_id=task.agent_id, task_id=task.id, message="one more")])
        _until(lambda: stored(stores, task)["logs"] == 11)
        assert process.poll() is None
        session.close()
        _, said = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "11 logs" in said
    assert spool.sessions() == []


def test_a_delivery_that_serves_forever_waits_for_the_next_recorder(
    spool: Spool, stores: Stores, delivery: Delivery, agent_id: str
) -> None:
    stop = Event()
    thread = Thread(target=delivery.serve, args=[stop], kwargs={"forever": True})
    thread.start()
    for _ in range(2):
        task = a_task(agent_id)
        written(spool, records_of(task, 5))
        _until(lambda task=task: stored(stores, task) == everything(5))  # type: ignore[misc]  # mypy can't infer a lambda with a default
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_sigterm_finishes_the_batch_and_leaves_the_rest_for_the_next(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    written(spool, records_of(task, 20_000, pictures=1000))
    with delivery_process(spool) as process:
        _until(lambda: _acknowledged(spool) > 0)
        process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        _, said = process.communicate(timeout=20)

    assert process.returncode == 0
    assert time.monotonic() - start < 5
    assert "The delivery ends" in said
    assert spool_status(spool).events > 0
    assert delivery.drain().pending == 0
    assert stored(stores, task) == everything(20_000, pictures=1000)


def _acknowledged(spool: Spool) -> int:
    with spool.ledger() as ledger:
        return sum(ledger.counts(session.name).acknowledged for session in spool.sessions())


RECORDER = """
import os, signal, sys
from agentruns.models import AgentTask, LogEntry
from agentruns.spool import Session, Spool, spool_status
session = Session(Spool(sys.argv[1]))
task = AgentTask.model_validate_json(sys.argv[2])
session.open_run(task)
session.append([LogEntry(agent_id=task.agent_id, task_id=task.id, message="last words")])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_recorder_left_arrives_and_its_run_is_interrupted(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    task = task.model_copy(update={"status_at": utcnow()})
    command = [sys.executable, "-c", RECORDER, str(spool.folder), task.model_dump_json()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL

    delivery.serve(Event(), forever=False)

    assert stores.postgres.get_task(task.id).status is Status.INTERRUPTED
    assert stored(stores, task)["logs"] == 1
    assert spool.sessions() == []


def test_a_living_recorders_open_run_has_a_heartbeat(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    session = Session(spool)
    session.open_run(task)
    delivery.drain()

    delivery.drain()

    with stores.postgres.connection() as connection:
        found = connection.execute("SELECT heartbeat_at FROM tasks WHERE id = %s", [task.id])
        assert found.fetchall()[0][0] is not None
    assert stores.postgres.get_task(task.id).status is Status.IN_PROGRESS
    session.close()


def test_whoever_comes_while_a_delivery_ends_is_not_left_behind(
    spool: Spool, delivery: Delivery, stores: Stores, task: AgentTask
) -> None:
    """A recorder makes its session, then starts a delivery only if nobody holds the lock."""
    threads: list[Thread] = []
    for number in range(30):
        session = Session(spool)
        session.append([task, LogEntry(agent_id=task.agent_id, task_id=task.id, message="x")])
        if not spool.delivering():
            threads.append(Thread(target=_serve_quietly, args=[delivery]))
            threads[-1].start()
        session.close()
        time.sleep(number * 0.01)
    for thread in threads:
        thread.join(20)

    assert stored(stores, task)["logs"] == 30
    assert spool.sessions() == []


def _serve_quietly(delivery: Delivery) -> None:
    try:
        delivery.serve(Event(), forever=False)
    except DeliveryRunning:
        return


MEASURED = """
import sys
from pathlib import Path
from storage.delivery.__main__ import main
code = main()
status = Path("/proc/self/status").read_text()
heavy = {"prefect", "great_expectations", "rich", "sqlalchemy", "alembic", "pandas", "numpy"}
print(int(status.split("VmHWM:")[1].split()[0]) // 1024, sorted(heavy & set(sys.modules)))
sys.exit(code)
"""


@pytest.mark.slow
def test_the_process_stays_small_and_imports_only_what_it_needs(
    spool: Spool, stores: Stores, task: AgentTask
) -> None:
    # Before: MinIO's key derivation takes 64 MB for a moment when an agent is let in.
    settings_of(task.agent_id)
    _fill(spool, task, EVENTS)
    command = [sys.executable, "-P", "-c", MEASURED, str(spool.folder)]

    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)

    megabytes, heavy = found.stdout.split(maxsplit=1)
    assert heavy.strip() == "[]"
    assert int(megabytes) <= 150
    assert stored(stores, task)["logs"] == EVENTS // 20 * 10


@pytest.mark.slow
def test_more_sessions_than_a_process_may_have_files_open_are_delivered(
    spool: Spool, task: AgentTask, stores: Stores
) -> None:
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    written(spool, [task])
    for _ in range(200):
        written(spool, [LogEntry(**about, message="x"), ProgressUpdate(**about)])
    files = 128

    with delivery_process(
        spool, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    ) as process:
        _, said = process.communicate(timeout=60)

    assert "1 tasks, 200 progress, 200 logs, 0 memories, 0 files delivered, 0 pending" in said
    assert " wait: " not in said
    assert spool.sessions() == []


def _fill(spool: Spool, task: AgentTask, events: int) -> None:
    """Log entries of up to 50 kB, screenshots of 20 to 4,000 kB among them."""
    session = Session(spool)
    session.append([task])
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    for start in range(events // 20):
        text = "x" * (50_000 if start % 20 == 0 else 100)
        picture = PNG + start.to_bytes(8) + bytes(4_000_000 if start % 50 == 0 else 20_000)
        session.append(
            [
                *(LogEntry(**about, message=text) for _ in range(10)),
                *(ProgressUpdate(**about, step=n) for n in range(9)),
                upload(task, picture),
            ]
        )
    session.close()


def test_a_log_that_has_grown_large_is_cut_to_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "delivery.log"
    shorten(log)
    assert not log.exists()
    log.write_text("a line of the log\n" * 400_000)

    shorten(log)

    assert 900_000 < log.stat().st_size <= 2**20
    assert set(log.read_text().splitlines()) == {"a line of the log"}


def _until(is_so: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
