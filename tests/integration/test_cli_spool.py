"""Delivering spools and looking into them from the command line, as a user types it."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentruns.models import AgentTask, LogEntry, ProgressUpdate
from agentruns.spool import Session, Spool
from storage.stores import Stores

SCRIPT = [sys.executable, "-m", "apps.cli"]


@pytest.fixture
def spool(tmp_path: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """The spool of this machine."""
    monkeypatch.setenv("AGENTRUNS_SPOOL", str(tmp_path / "spool"))
    return Spool()


def say(spool: Spool, agent_id: str, *, step_of_nobody: bool = False) -> AgentTask:
    """Leave a task and an entry in a spool, and perhaps a step that no store takes."""
    task = AgentTask(agent_id=agent_id, title="x")
    other = AgentTask(agent_id=agent_id, title="kept from the store")
    session = Session(spool)
    session.append([task, LogEntry(agent_id=agent_id, task_id=task.id, message="said")])
    if step_of_nobody:
        session.append([ProgressUpdate(agent_id=agent_id, task_id=other.id)])
    session.close()
    return other


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_spool_is_drained_once(spool: Spool, stores: Stores, agent_id: str) -> None:
    say(spool, agent_id)
    waiting = json.loads(run("spool", "status", "--json").stdout)
    assert (waiting["events"], waiting["delivering"], waiting["rejected"]) == (2, False, [])
    done = run("deliver", "--once", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == {
        "delivered": {"tasks": 1, "progress": 0, "logs": 1, "memories": 0, "files": 0},
        "pending": 0,
        "rejected": 0,
    }
    left = json.loads(run("spool", "status", "--json").stdout)
    assert (left["events"], left["oldest"], left["damaged"], left["foreign"]) == (0, None, [], [])
    assert len(stores.mongo.read_logs(agent_id=agent_id)) == 1


def test_what_was_refused_is_listed_exported_and_taken_up_again(
    spool: Spool, stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    other = say(spool, agent_id, step_of_nobody=True)
    assert run("deliver", "--once").returncode == 1
    listed = json.loads(run("spool", "rejected", "--export", tmp_path / "out", "--json").stdout)
    (refused,) = listed["rejected"]
    assert (refused["kind"], listed["next"]) == ("ProgressUpdate", None)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    exported = json.loads((tmp_path / "out" / f"{refused['id']}.json").read_text())
    assert exported["payload"]["task_id"] == str(other.id)
    assert "does not hold" in exported["reason"]
    stores.postgres.store_rows(tasks=[other])
    unknown = run("spool", "retry", "unknown")
    assert (unknown.returncode, "none of the refused" in unknown.stderr) == (2, True)
    again = run("spool", "retry", refused["id"])
    assert (again.returncode, "deliver --once" in again.stdout) == (0, True)
    assert run("deliver", "--once").returncode == 0
    (step,) = stores.postgres.get_task_progress(other.id)
    assert (str(step.id), step.sequence) == (refused["id"], 1)
    assert "No event was refused." in run("spool", "rejected").stdout


def test_a_store_that_is_away_is_an_exit_code_and_a_reason(
    spool: Spool, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(spool, agent_id)
    monkeypatch.setenv("POSTGRES_URL", "postgresql://nobody:s3cret@127.0.0.1:9/none")
    done = run("deliver", "--once")
    assert done.returncode == 3
    # Nobody has let the agent in, and that takes all three stores.
    assert "Waiting in the spool: 2 events" in done.stdout
    assert "PostgreSQL" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_service_delivers_what_comes_until_it_is_stopped(
    spool: Spool, stores: Stores, agent_id: str, sign: signal.Signals
) -> None:
    with subprocess.Popen(
        [*SCRIPT, "deliver", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as service:
        _until(lambda: spool.is_there() and spool.delivering())
        held = run("deliver", "--once")
        say(spool, agent_id)
        _until(lambda: not spool.sessions())
        service.send_signal(sign)
        out, err = service.communicate(timeout=20)
    assert held.returncode == 0
    assert "Another delivery is at work" in held.stdout
    assert f"(process {service.pid})" in held.stdout
    assert service.returncode == 0, err
    assert json.loads(out)["delivered"]["logs"] == 1


def test_a_service_takes_over_when_another_delivery_ends(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    lock = spool.prepare().delivery_lock()
    assert lock.acquire()
    with subprocess.Popen(
        [*SCRIPT, "deliver"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as service:
        assert service.stderr
        assert "Delivering" in service.stderr.readline()
        assert "goes on when it ends" in service.stderr.readline()
        say(spool, agent_id)
        lock.release()
        _until(lambda: not spool.sessions())
        service.terminate()
        assert service.wait(20) == 0


def test_looking_makes_no_spool(spool: Spool) -> None:
    for words in (["spool", "status"], ["spool", "rejected"], ["spool", "retry"]):
        done = run(*words)
        assert (done.returncode, "There is no spool at" in done.stderr) == (2, True)
    assert run("deliver", "--once").returncode == 0
    assert run("deliver", "--once", "--spool", spool.folder).returncode == 2
    assert not spool.folder.exists()


def test_a_folder_that_is_something_else_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "FORMAT").write_text("another program's\n")
    assert run("spool", "status", "--spool", tmp_path).returncode == 2
    assert os.listdir(tmp_path) == ["FORMAT"]  # noqa: PTH208 - names


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
