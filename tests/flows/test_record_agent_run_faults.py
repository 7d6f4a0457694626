"""Recording while agents die and stores go away."""

import sys
import threading
from pathlib import Path

import pytest

from agentruns.models import Status
from agentruns.recording.run_record import RunRecord
from flows.record_agent_run import record_agent_run
from storage.settings import Settings
from storage.stores import Stores
from tests.faults.conftest import Proxied, proxied

__all__ = ["proxied"]  # a fixture of another folder

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = EXAMPLES / "runs" / "2026-11-23_uitars157b_010146_11c0"


def replay(agent_id: str, folder: Path, *options: str) -> RunRecord:
    return record_agent_run(
        agent_id=agent_id,
        command=[
            sys.executable,
            str(EXAMPLES / "replay.py"),
            str(RUN),
            "--to",
            str(folder),
            *options,
        ],
        watch=[str(folder)],
    )


def test_an_agent_that_reaches_its_end_leaves_all_of_its_run(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    done = replay(agent_id, tmp_path, "--delay", "0")
    assert (done.pending, done.rejected) == (0, 0)
    assert done.status is (Status.COMPLETED if done.exit_code == 0 else Status.FAILED)
    files = stores.postgres.get_binary_files(task_id=done.task_id, limit=1000).items
    stored = {file.sha256 for file in files}
    pictures = list(RUN.rglob("*.png"))
    assert len(stored) >= len({path.read_bytes() for path in pictures}) > 0
    assert (
        len(stores.postgres.get_task_progress(done.task_id, limit=1000)) == done.delivered.progress
    )


def test_an_agent_that_dies_in_the_middle_leaves_what_it_had_done(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    done = replay(agent_id, tmp_path, "--delay", "0", "--die-at", "12")
    assert (done.status, done.exit_code) == (Status.FAILED, 137)
    assert (done.pending, done.rejected) == (0, 0)
    assert done.delivered.progress > 0
    entries = stores.mongo.read_logs(agent_id=agent_id, task_id=done.task_id, limit=1000).items
    assert any("was not recorded" in entry.message for entry in entries)
    assert any("killed by SIGKILL" in entry.message for entry in entries)


@pytest.mark.slow
def test_stores_that_go_away_in_the_middle_neither_hold_the_command_nor_lose_a_line(
    proxied: Proxied, stores: Stores, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(proxied.settings, monkeypatch)
    proxies = (proxied.mongo, proxied.postgres, proxied.minio)
    _later(3.0, *(proxy.refuse for proxy in proxies))
    _later(9.0, *(proxy.forward for proxy in proxies))
    done = _counting(agent_id)
    assert (done.status, done.pending, done.rejected) == (Status.COMPLETED, 0, 0)
    entries = stores.mongo.read_logs(agent_id=agent_id, task_id=done.task_id, limit=1000).items
    told = [entry for entry in entries if entry.data["stream"] == "stdout"]
    assert sorted(int(entry.message.split()[0]) for entry in told) == list(range(50))
    # The command never waited: its own clock shows no gap.
    assert max(float(entry.message.split()[1]) for entry in told) < 0.5
    assert stores.postgres.get_task(done.task_id).status is Status.COMPLETED


@pytest.mark.slow
def test_a_store_that_stays_away_is_counted_as_pending(
    proxied: Proxied, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(proxied.settings, monkeypatch)
    monkeypatch.setattr("agentruns.recording.attempt.PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("tasks.recording.INTERRUPTED_PATIENCE_SECONDS", 1.0)
    _later(3.0, proxied.mongo.refuse, proxied.postgres.refuse)
    done = _counting(agent_id)
    assert done.status is Status.COMPLETED
    assert done.pending > 0


def _counting(agent_id: str) -> RunRecord:
    """Fifty lines in five seconds, each with the time that passed since the last."""
    code = (
        "import time\nlast = time.time()\nfor n in range(50):\n"
        "  now = time.time(); print(n, now - last, flush=True); last = now; time.sleep(0.1)"
    )
    return record_agent_run(agent_id=agent_id, command=[sys.executable, "-c", code])


def _use(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mongodb_url", "postgres_url", "minio_endpoint"):
        monkeypatch.setenv(name.upper(), settings.required(name))


def _later(seconds: float, *actions: object) -> None:
    for action in actions:
        timer = threading.Timer(seconds, action)  # type: ignore[arg-type]  # any callable
        timer.daemon = True
        timer.start()
