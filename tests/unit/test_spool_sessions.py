"""Whose runs are alive, and what becomes of those whose process is gone."""

import fcntl
import multiprocessing
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from agentruns.models import Status, utcnow
from agentruns.spool import FileLock, Lane, Session, Spool
from agentruns.spool.session_folder import INTERRUPTED
from tests.unit.spools import a_log, a_task, acknowledge_all, crash, records, segments


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_session_lives_as_long_as_its_process(spool: Spool) -> None:
    session = Session(spool)
    (folder,) = spool.sessions()
    assert folder.alive()
    assert not folder.settle()
    crash(session)
    assert not folder.alive()


def test_runs_of_a_dead_process_become_interrupted(spool: Spool) -> None:
    session = Session(spool)
    task = a_task(metadata={"recorder": {"pid": 1}})
    session.open_run(task)
    session.append([a_log(task)])
    crash(session)
    assert spool.sessions()[0].settle()
    begun, ended = records(spool, Lane.ROWS)
    assert (begun.status, ended.status) == (Status.IN_PROGRESS, Status.INTERRUPTED)
    assert task.status_at < ended.status_at <= utcnow()
    assert ended.metadata == {"recorder": {"pid": 1}, "reason": INTERRUPTED}


def test_a_run_that_has_ended_is_not_interrupted(spool: Spool) -> None:
    session = Session(spool)
    task = a_task()
    session.open_run(task)
    session.close_run(task.model_copy(update={"status": Status.COMPLETED}))
    crash(session)
    assert spool.sessions()[0].settle()
    assert [one.status for one in records(spool)] == [Status.IN_PROGRESS, Status.COMPLETED]


def test_settling_again_changes_nothing(spool: Spool) -> None:
    session = Session(spool)
    session.open_run(a_task())
    crash(session)
    (folder,) = spool.sessions()
    assert folder.settle()
    assert folder.settle()
    assert len(records(spool)) == 2


def test_settling_that_was_killed_is_done_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(spool)
    session.open_run(a_task())
    crash(session)
    (folder,) = spool.sessions()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            folder.settle()
    assert folder.settle()
    begun, *ended = records(spool)
    assert begun.status is Status.IN_PROGRESS
    assert {one.status for one in ended} == {Status.INTERRUPTED}
    assert {one.id for one in ended} == {begun.id}


def test_whoever_took_a_run_up_later_is_not_overruled(spool: Spool) -> None:
    dead = Session(spool)
    task = a_task(status_at=utcnow() - timedelta(hours=2))
    dead.open_run(task)
    crash(dead)
    for path in segments(spool)[0].path.glob("events.db*"):
        os.utime(path, (task.status_at.timestamp() + 60,) * 2)
    (folder,) = spool.sessions()
    folder.settle()
    interrupted = records(spool)[-1]
    assert interrupted.status_at < utcnow() - timedelta(hours=1)


def test_a_closed_session_is_over_at_once(spool: Spool) -> None:
    session = Session(spool)
    session.close()
    (folder,) = spool.sessions()
    assert folder.over()
    acknowledge_all(spool)
    assert spool.sessions() == []


def test_a_session_closed_with_an_open_run_is_left_to_the_delivery(spool: Spool) -> None:
    session = Session(spool)
    session.open_run(a_task())
    session.close()
    (folder,) = spool.sessions()
    assert not folder.over()
    assert folder.settle()
    assert records(spool)[-1].status is Status.INTERRUPTED


def test_a_forked_child_disturbs_nothing(spool: Spool) -> None:
    session = Session(spool)
    session.append([a_log(a_task(), "before")])
    child = multiprocessing.get_context("fork").Process(target=_child, args=(session,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert spool.sessions()[0].alive()
    session.append([a_log(a_task(), "after")])
    assert {one.message for one in records(spool)} == {"before", "after", "of the child"}
    session.close()


def test_a_lock_is_seen_by_others_and_freed_with_its_holder(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not other.held()
    assert lock.acquire()
    assert lock.acquire()
    assert other.held()
    assert not other.acquire()
    lock.release()
    assert other.acquire()
    other.release()


def test_whoever_asks_for_a_lock_does_not_keep_a_delivery_from_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock.path.open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not lock.acquire()
        answered = threading.Timer(0.02, lambda: fcntl.flock(asking, fcntl.LOCK_UN))
        answered.start()
        assert lock.acquire_from_askers()
        answered.join()
    lock.release()


def test_what_is_no_session_is_told_and_left_alone(spool: Spool) -> None:
    spool.prepare()
    (spool.sessions_folder / "holiday.jpg").write_bytes(b"x")
    (spool.sessions_folder / "notes").mkdir()
    Session(spool).close()
    acknowledge_all(spool)
    assert spool.foreign() == ["holiday.jpg", "notes"]


def _child(session: Session) -> None:
    session.abandon()
    mine = Session(session._spool)
    mine.append([a_log(a_task(), "of the child")])
    mine.close()


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
