"""Recorded commands while stores are away, the spool is full, or the recorder dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentruns.commands.plan import RunPlan
from agentruns.commands.record_command import Observer
from agentruns.commands.run_record import RunRecord
from agentruns.commands.signals import Signals
from agentruns.models import Status, new_id
from agentruns.recording import Recorder
from agentruns.recording.delivery_starter import start_delivery
from agentruns.spool import Spool
from storage.stores import Stores
from tests.integration.recorded_commands import (
    logs_of,
    record,
    record_plan,
)
from tests.own_spool import own_spool, wait_until

__all__ = ["own_spool"]  # a fixture of another file

SCRIPT = str(Path(sys.executable).with_name("agentruns"))
MEGABYTE = 1024 * 1024
#: Twelve megabytes, each line with its number.
FLOOD = "for n in range(120_000): print(f'{n:099}')"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, where this machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root and the right to it")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def lines_of(stores: Stores, done: RunRecord) -> list[int]:
    """The numbers that a flood printed, as the stores have them."""
    numbers: list[int] = []
    for entry in logs_of(stores, done):
        if entry.data["stream"] == "stdout":
            numbers += map(int, entry.data.get("lines", [entry.message]))
    return numbers


def test_a_hundred_thousand_lines_are_all_there_in_order(
    stores: Stores, agent_id: str, own_spool: Spool
) -> None:
    done = record(agent_id, "for n in range(100_000): print(n)")
    assert (done.status, done.pending, done.rejected) == (Status.COMPLETED, 0, 0)
    assert lines_of(stores, done) == list(range(100_000))


@pytest.mark.slow
def test_a_hundred_megabytes_are_recorded_with_flat_memory(agent_id: str, tmp_path: Path) -> None:
    recorder = Recorder(agent_id, spool=tmp_path / "spool", deliver=False)
    code = "for n in range(1_000_000): print(f'{n:099}')"
    plan = RunPlan(agent_id=agent_id, command=(sys.executable, "-c", code))
    with Peak() as peak:
        done = record_plan(plan, recorder, wait=0)
    assert (done.status, done.lost) == (Status.COMPLETED, 0)
    assert peak.grown < 100 * MEGABYTE, f"{peak.grown / MEGABYTE:.0f} MB more memory"
    assert recorder.spool.size() > 99_000_000


def test_a_command_that_fills_the_spool_waits_until_a_delivery_makes_room(
    stores: Stores, agent_id: str, own_spool: Spool
) -> None:
    recorder = Recorder(agent_id, max_bytes=4 * MEGABYTE, deliver=False)
    said: list[str] = []
    full = threading.Event()

    def say(message: str) -> None:
        said.append(message)
        full.set()

    def deliver() -> None:
        assert full.wait(30)
        time.sleep(1)
        start_delivery(own_spool.folder)

    delivering = threading.Thread(target=deliver)
    delivering.start()
    plan = RunPlan(agent_id=agent_id, command=(sys.executable, "-c", FLOOD))
    done = record_plan(plan, recorder, observer=Observer(notify=say))
    delivering.join()
    assert (done.status, done.pending, done.rejected, done.lost) == (Status.COMPLETED, 0, 0, 0)
    assert lines_of(stores, done) == list(range(120_000))
    assert "has reached its limit" in said[0]
    assert "The command waits" in said[0]
    assert "goes on" in said[1]


def test_what_has_no_room_when_a_run_is_called_off_is_told(agent_id: str, tmp_path: Path) -> None:
    recorder = Recorder(agent_id, spool=tmp_path / "spool", max_bytes=2 * MEGABYTE, deliver=False)
    signals = Signals()

    def call_off(_message: str) -> None:
        for pause in (0.3, 0.9):
            threading.Timer(pause, os.kill, (os.getpid(), signal.SIGINT)).start()

    plan = RunPlan(agent_id=agent_id, command=(sys.executable, "-c", FLOOD))
    with signals.passed_on():
        began = time.monotonic()
        done = record_plan(plan, recorder, signals, Observer(notify=call_off), wait=0)
    assert time.monotonic() - began < 15
    assert (done.status, done.exit_code) == (Status.CANCELLED, 130)
    assert done.lost > 0
    assert done.pending > 0


def test_a_full_disk_holds_the_command_and_loses_nothing(
    stores: Stores, agent_id: str, small_disk: Path
) -> None:
    """A disk of 8 MB on which something else takes 5 MB, until it goes."""
    other = small_disk / "other"
    other.write_bytes(b"x" * 5 * MEGABYTE)
    said: list[str] = []

    def make_room(message: str) -> None:
        said.append(message)
        threading.Timer(1, other.unlink, kwargs={"missing_ok": True}).start()

    recorder = Recorder(agent_id, spool=small_disk / "spool", deliver=False)
    code = "for n in range(30_000): print(f'{n:099}')"
    plan = RunPlan(agent_id=agent_id, command=(sys.executable, "-c", code))
    done = record_plan(plan, recorder, observer=Observer(notify=make_room), wait=0)
    assert (done.status, done.lost) == (Status.COMPLETED, 0)
    assert "disk" in said[0]
    start_delivery(small_disk / "spool")
    assert wait_until(lambda: len(lines_of(stores, done)) == 30_000, 30)
    assert lines_of(stores, done) == list(range(30_000))
    assert wait_until(lambda: not Spool(small_disk / "spool").delivering(), 20)


def test_a_recorder_that_is_killed_leaves_an_interrupted_task(
    stores: Stores, agent_id: str, own_spool: Spool, tmp_path: Path
) -> None:
    task_id = new_id()
    began = tmp_path / "began"
    command = ["sh", "-c", f"echo $$ > {began}; while echo still here; do sleep 0.2; done"]
    with subprocess.Popen(
        [SCRIPT, "record", "--agent", agent_id, "--task", str(task_id), "--", *command],
        stdout=subprocess.DEVNULL,
    ) as recorder:
        assert wait_until(lambda: began.exists() and began.read_text(), 20)
        time.sleep(1)
        recorder.kill()
    # Its pipe is broken, and a command that prints into it dies of that.
    pid = int(began.read_text())
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10)
    assert wait_until(lambda: not own_spool.delivering(), 30)
    task = stores.postgres.get_task(task_id)
    assert task.status is Status.INTERRUPTED
    entries = stores.mongo.read_logs(agent_id=agent_id, task_id=task_id, limit=1000).items
    assert len([entry for entry in entries if entry.message == "still here"]) > 2


class Peak:
    """How much more memory the process held at most, sampled."""

    def __enter__(self) -> "Peak":
        self._before, self.grown = _resident(), 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            self.grown = max(self.grown, _resident() - self._before)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
