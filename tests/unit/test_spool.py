"""What a spool keeps of what it was given, and how it limits itself."""

import itertools
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from agentruns.models import AgentTask, AnyRecord, Upload
from agentruns.spool import (
    Event,
    Lane,
    Ledger,
    Session,
    Spool,
    SpoolFull,
    SpoolUnusable,
    default_spool,
    spool_status,
)
from agentruns.spool.layout import LEDGER
from tests.unit.spools import (
    PNG,
    a_log,
    a_picture,
    a_step,
    a_task,
    acknowledge_all,
    events,
    records,
    segments,
)

MIB = 1024 * 1024


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def session(spool: Spool) -> Iterator[Session]:
    session = Session(spool)
    yield session
    session.close()


def test_what_was_appended_is_read_back_in_order(spool: Spool, session: Session) -> None:
    task = a_task()
    logs = [a_log(task, f"line {number}") for number in range(5)]
    session.append([task])
    session.append(logs)
    assert [one.message for one in records(spool, Lane.LOGS)] == [one.message for one in logs]
    assert [one.id for one in records(spool, Lane.LOGS)] == [one.id for one in logs]
    assert records(spool, Lane.ROWS) == [task]


def test_everything_about_a_task_shares_one_sequence(spool: Spool, session: Session) -> None:
    first, second = a_task(), a_task()
    session.append([first, a_log(first), a_step(first), a_picture(first)])
    session.append([second, a_log(second)])
    session.append([a_log(first)])
    found = {(event.kind, event.sequence) for event in events(spool) if _is_about(first, event)}
    assert found == {
        ("AgentTask", None),
        ("LogEntry", 1),
        ("ProgressUpdate", 2),
        ("StoredFile", 3),
        ("LogEntry", 4),
    }


def test_a_record_carries_its_place_in_the_order(spool: Spool, session: Session) -> None:
    task = a_task()
    session.append([a_log(task), a_step(task), a_picture(task)])
    log, step, picture = records(spool)
    assert (log.sequence, step.sequence, picture.file.sequence) == (1, 2, 3)


def test_an_object_lies_beside_its_event(spool: Spool, session: Session) -> None:
    session.append([a_picture(a_task())])
    (upload,) = records(spool)
    assert isinstance(upload, Upload)
    assert isinstance(upload.content, Path)
    assert upload.content.read_bytes() == PNG


def test_identical_frames_are_kept_once(spool: Spool, session: Session) -> None:
    task = a_task()
    session.append([a_picture(task) for _ in range(10)])
    assert len(records(spool)) == 10
    assert len(list(spool.folder.rglob("*.png"))) == 1


def test_a_file_on_disk_is_copied(spool: Spool, session: Session, tmp_path: Path) -> None:
    upload = a_picture(a_task())
    source = tmp_path / "frame.png"
    source.write_bytes(PNG)
    session.append([upload.model_copy(update={"content": source})])
    source.unlink()
    assert records(spool)[0].content.read_bytes() == PNG


def test_a_file_that_changed_is_refused_as_a_whole(
    spool: Spool, session: Session, tmp_path: Path
) -> None:
    source = tmp_path / "frame.png"
    source.write_bytes(PNG + b"more")
    upload = a_picture(a_task()).model_copy(update={"content": source})
    with pytest.raises(ValueError, match=r"frame\.png changed while it was read"):
        session.append([upload])
    assert not events(spool)
    assert not list(segments(spool)[0].path.glob("*.png"))


def test_threads_that_append_at_once_lose_nothing(spool: Spool, session: Session) -> None:
    task = a_task()

    def write(name: int) -> None:
        for number in range(50):
            session.append([a_log(task, f"{name} {number}")])

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = records(spool)
    assert sorted(one.sequence for one in found) == list(range(1, 401))
    for name in range(8):
        own = [one.message for one in found if one.message.startswith(f"{name} ")]
        assert own == [f"{name} {number}" for number in range(50)]


def test_processes_share_a_spool(spool: Spool, session: Session) -> None:
    session.append([a_log(a_task())])
    program = (
        "import sys; from agentruns.spool import *; from agentruns.models import *; "
        "s = Session(Spool(sys.argv[1])); "
        "s.append([LogEntry(agent_id='browser-2', message='from the child')]); s.close()"
    )
    subprocess.run([sys.executable, "-c", program, str(spool.folder)], check=True)
    assert {one.agent_id for one in records(spool)} == {"browser-1", "browser-2"}
    assert len(spool.sessions()) == 2


def test_many_who_open_a_new_ledger_at_once_all_get_it(spool: Spool) -> None:
    context = multiprocessing.get_context("fork")
    for round_ in range(15):
        folder = spool.folder / str(round_)
        Spool(folder).prepare()
        start = context.Barrier(12)
        openers = [context.Process(target=_open_ledger, args=(folder, start)) for _ in range(12)]
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join()
        assert [opener.exitcode for opener in openers] == [0] * 12


def test_a_delivered_segment_goes_with_its_objects(
    spool: Spool, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentruns.spool.session.SEGMENT_EVENTS", 3)
    task = a_task()
    for _ in range(7):
        session.append([a_picture(task, os.urandom(100))])
    assert len(segments(spool)) == 3
    acknowledge_all(spool)
    assert [segment.path.name for segment in segments(spool)] == ["000003"]
    session.append([a_log(task, "after")])
    assert records(spool, Lane.LOGS)[0].message == "after"


def test_a_session_that_is_over_and_delivered_leaves_nothing(spool: Spool) -> None:
    session = Session(spool)
    session.append([a_log(a_task())])
    session.close()
    acknowledge_all(spool)
    assert spool.sessions() == []
    assert list(spool.sessions_folder.iterdir()) == []


def test_at_its_limit_a_spool_refuses_and_keeps_what_it_has(spool: Spool) -> None:
    session = Session(spool, max_bytes=2 * MIB)
    kept = _fill(session, a_log(a_task()))
    assert kept > 10
    assert spool.size() <= 2 * MIB
    assert len(records(spool, Lane.FILES)) == len(records(spool, Lane.LOGS)) == kept
    session.close()


def test_a_full_spool_takes_more_once_it_was_delivered(spool: Spool) -> None:
    session = Session(spool, max_bytes=MIB)
    task = a_task()
    before = _fill(session)
    acknowledge_all(spool)
    session.append([a_log(task)])
    assert before > 5
    assert [event.sequence for event in events(spool, Lane.LOGS)] == [1]
    session.close()


def test_what_was_refused_leaves_no_gap_in_the_order(spool: Spool) -> None:
    session = Session(spool, max_bytes=MIB)
    task = a_task()
    session.append([a_log(task)])
    with pytest.raises(SpoolFull, match="has reached its limit of 1048576 bytes"):
        session.append([a_log(task, "x" * 2 * MIB)])
    session.append([a_log(task)])
    assert [event.sequence for event in events(spool)] == [1, 2]
    session.close()


def test_a_limit_of_nothing_is_refused(spool: Spool) -> None:
    with pytest.raises(ValueError, match="max_bytes is at least 1048576"):
        Session(spool, max_bytes=1000)


def test_one_that_is_too_large_costs_the_others_of_its_commit_nothing(spool: Spool) -> None:
    session = Session(spool, max_bytes=MIB)
    task = a_task()
    refused: list[Exception] = []

    def append(text: str) -> None:
        try:
            session.append([a_log(task, text)])
        except SpoolFull as error:
            refused.append(error)

    threads = [threading.Thread(target=append, args=("x" * size,)) for size in (10, 2 * MIB, 20)]
    with session._commit.turn:  # so that all three wait for one commit
        for thread in threads:
            thread.start()
        while len(session._commit._calls) < 3:
            pass
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert sorted(len(one.message) for one in records(spool)) == [10, 20]
    assert sorted(event.sequence for event in events(spool)) == [1, 2]
    session.close()


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SpoolUnusable, match="can't be used"):
        Session(Spool(blocked / "spool"))


def test_only_the_owner_may_look_into_a_spool(spool: Spool, session: Session) -> None:
    session.append([a_picture(a_task()), a_log(a_task())])
    spool.ledger().close()
    for path in [spool.folder, *spool.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_status_counts_what_waits(spool: Spool, session: Session) -> None:
    task = a_task()
    session.append([task, a_log(task), a_picture(task)])
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {segments(spool)[0].name: 1}, {})
    status = spool_status(spool)
    assert status.events == 2
    assert status.bytes > 10_000
    assert status.oldest == task.status_at
    assert (status.rejected, status.damaged, status.foreign) == (0, 0, [])


def test_a_status_bears_a_delivery_at_work(
    spool: Spool, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It removes what has arrived, also between two looks."""
    session.append([a_log(a_task()) for _ in range(3)])
    session._begin_segment()
    (full, _) = segments(spool)
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {full.name: 3}, {})

    def position(ledger: Ledger, segment: str, lane: Lane) -> int:
        found = asked(ledger, segment, lane)
        full.remove()
        return found

    asked = Ledger.position
    monkeypatch.setattr(Ledger, "position", position)
    status = spool_status(spool)
    assert (status.events, status.oldest) == (0, None)


def test_the_environment_says_where_the_spool_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path))
    monkeypatch.delenv("AGENTRUNS_SPOOL", raising=False)
    assert default_spool() == tmp_path / "spool"
    monkeypatch.setenv("AGENTRUNS_SPOOL", "/var/spool/agentruns")
    assert Spool().folder == Path("/var/spool/agentruns")


def _open_ledger(folder: Path, start: Barrier) -> None:
    start.wait()
    Spool(folder).ledger().close()


def _fill(session: Session, *more: AnyRecord) -> int:
    """Append pictures until there is no room, and say how many calls went well."""
    task = a_task()
    for kept in itertools.count():
        try:
            session.append([a_picture(task, os.urandom(50_000)), *more])
        except SpoolFull:
            return kept
    raise AssertionError


def _is_about(task: AgentTask, event: Event) -> bool:
    return str(task.id) in event.payload


def test_the_ledger_of_a_version_before_is_taken_up(spool: Spool) -> None:
    with closing(sqlite3.connect(spool.prepare().folder / LEDGER)) as ledger:
        ledger.execute(
            "CREATE TABLE touched_tasks"
            " (serial INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL)"
        )
        ledger.execute("INSERT INTO touched_tasks (task_id) VALUES ('a task of nobody known')")
        ledger.commit()

    task = a_task()
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {}, {}, touched=[(task.agent_id, task.id)])
        assert ledger.touched_agents() == [task.agent_id]
        assert ledger.touched_tasks(task.agent_id).tasks == {task.id}
