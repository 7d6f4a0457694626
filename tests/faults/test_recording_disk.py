"""The disk of the agent's machine: full, slow to keep what it was given, or with flipped bytes."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agentruns import DiskFull, Recorder
from agentruns.models import Upload
from agentruns.spool import Lane, Spool, object_of
from storage.delivery import Delivery
from storage.stores import Stores
from tests.faults.recording_children import ROOT, Agent, DeliveryProcess
from tests.faults.recording_stores import Kept
from tests.faults.recording_trials import (
    PROMISES,
    check,
    moments,
    some,
    wait_until,
    wait_until_empty,
)
from tests.unit.cua_folders import png
from tests.unit.spools import records

pytestmark = pytest.mark.slow

FULL = "5  disk full"
DURABLE = "6  a returned call is durable"
VERIFIED = "7  every byte can be verified"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MB, where this machine lets us have one."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder]
        tried = subprocess.run(mount, check=False, stderr=subprocess.PIPE, text=True)
        if tried.returncode:
            pytest.skip(f"no disk can be mounted here, which needs root: {tried.stderr}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.timeout(300)
def test_a_disk_that_others_fill_is_told_of_and_used_again_when_there_is_room(
    stores: Stores, small_disk: Path, agent_id: str
) -> None:
    spool, trials = Spool(small_disk / "spool").prepare(), some(0.05)
    others = small_disk / "others"
    agent = Agent(spool.folder, agent_id, "--pause", 0.005).begin()
    with DeliveryProcess(spool.folder, "--forever") as delivery:
        for _ in range(trials):
            wait_until(lambda: _is_delivered(spool), 60, f"nothing arrives: {delivery.lines}")
            _fill(others)
            agent.wait_for("full")
            time.sleep(0.5)
            others.unlink()
            goes_on(agent)
        assert agent.finish() == 0
        wait_until_empty(spool, delivery)

    check(FULL, Kept(stores, agent_id), [agent], trials)


def test_a_delivery_outlives_a_full_disk_on_which_an_agent_dies(
    stores: Stores, small_disk: Path, agent_id: str
) -> None:
    spool, others = Spool(small_disk / "spool").prepare(), small_disk / "others"
    agent = Agent(spool.folder, agent_id, "--pause", 0.005).begin()
    with DeliveryProcess(spool.folder, "--forever") as delivery:
        wait_until(lambda: _is_delivered(spool), 60, f"nothing arrives: {delivery.lines}")
        _fill(others)
        agent.wait_for("full")
        agent.kill()
        time.sleep(3)
        assert delivery.lives, "\n".join(delivery.lines)
        others.unlink()
        wait_until_empty(spool, delivery)

    check(FULL, Kept(stores, agent_id), [agent], 1)


def _is_delivered(spool: Spool) -> bool:
    with spool.ledger() as ledger:
        return any(ledger.counts(session.name).acknowledged for session in spool.sessions())


def test_a_delivery_that_finds_the_disk_full_of_foreign_things_says_so_and_leaves(
    stores: Stores, small_disk: Path, agent_id: str
) -> None:
    spool, others = Spool(small_disk / "spool").prepare(), small_disk / "others"
    agent = Agent(spool.folder, agent_id, "--pause", 0.005).begin()
    agent.wait_for("progress")
    _fill(others)
    agent.wait_for("full")

    with DeliveryProcess(spool.folder) as delivery:
        assert delivery.wait() == 2
    assert "is full: make room" in delivery.lines[-1]

    others.unlink()
    goes_on(agent)
    assert agent.finish() == 0
    with DeliveryProcess(spool.folder) as later:
        assert later.wait() == 0, later.lines
    check(FULL, Kept(stores, agent_id), [agent], 1)


def _fill(path: Path) -> None:
    """Take everything, as programs do that leave no room for others."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def goes_on(agent: Agent) -> None:
    told = len(agent.acknowledged)
    wait_until(lambda: len(agent.acknowledged) > told + 5, 30, "the agent does not go on")
    agent.lines[:] = [line for line in agent.lines if line != "full"]


@pytest.mark.timeout(300)
def test_a_disk_that_the_spool_itself_has_filled_is_freed_by_a_delivery_that_begins_then(
    stores: Stores, small_disk: Path, agent_id: str
) -> None:
    spool, trials = Spool(small_disk / "spool").prepare(), some(0.05)
    agent = Agent(spool.folder, agent_id, "--pause", 0.001, "--large").begin()
    for _ in range(trials):
        agent.wait_for("full")
        with DeliveryProcess(spool.folder, "--forever"):
            goes_on(agent)
    assert agent.finish() == 0
    with DeliveryProcess(spool.folder) as last:
        assert last.wait() == 0, last.lines

    check(FULL, Kept(stores, agent_id), [agent], trials)


def test_on_a_full_disk_a_call_keeps_all_of_it_or_nothing(
    stores: Stores, small_disk: Path, agent_id: str
) -> None:
    recorder = Recorder(agent_id, spool=small_disk / "spool", deliver=False, exit_seconds=0)
    run = recorder.start_run()
    kept, others = [run.screenshot(png(1), words="first")], small_disk / "others"
    _fill(others)
    with pytest.raises(DiskFull, match="is full: make room; what it holds is untouched"):
        run.screenshot(png(2), words="refused")
    with pytest.raises(DiskFull):
        run.log("refused")
    others.unlink()
    kept.append(run.screenshot(png(3), words="second"))
    run.finish()
    recorder.close()

    Delivery(recorder.spool, stores.settings).drain()

    files = Kept(stores, agent_id).files
    assert {row.id: row.sequence for row in files} == {kept[0]: 1, kept[1]: 2}


#: Records a screenshot, and tells in which order the disk was asked for what.
TRACED = """
import json, os, pathlib, sqlite3, sys

told, connections = [], []

def watch(name, words):
    ask = getattr(os, name)
    def asked(*arguments, **options):
        about = words(*arguments)
        ask(*arguments, **options)
        told.append([name, about])
    setattr(os, name, asked)

def connect(*arguments, **options):
    connection = open_connection(*arguments, **options)
    connection.set_trace_callback(lambda statement: told.append(["sql", statement.split("(")[0]]))
    connections.append(connection)
    return connection

watch("fsync", lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))
watch("replace", lambda source, target: os.fspath(target))
open_connection, sqlite3.connect = sqlite3.connect, connect

from agentruns import Recorder
from tests.unit.cua_folders import png
from tests.unit.spools import records

run = Recorder("traced", spool=sys.argv[1], deliver=False, exit_seconds=0).start_run()
run.log("begun")
told.clear()
run.screenshot(png(1))
screenshot = list(told)
told.clear()
run.log("seen")
print(json.dumps({
    "screenshot": screenshot,
    "log": list(told),
    "synchronous": connections[-1].execute("PRAGMA synchronous").fetchone()[0],
    "journal": connections[-1].execute("PRAGMA journal_mode").fetchone()[0],
}))
"""


def test_a_picture_is_on_the_disk_before_its_event_and_an_event_before_its_call_returns(
    spool: Spool,
) -> None:
    command = [sys.executable, "-c", TRACED, str(spool.folder)]
    traced = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    told = json.loads(traced.stdout)

    (written, named, listed, kept) = told["screenshot"]
    segment, name = os.path.split(named[1])
    assert written[0] == "fsync"
    assert re.fullmatch(rf"{segment}/\.{name}\.\d+\.[0-9a-f]+", written[1])
    assert (named[0], listed) == ("replace", ["fsync", segment])
    assert kept == ["sql", "INSERT INTO files "]
    # In WAL mode FULL is an fsync of every commit, before it returns.
    assert told["log"] == [["sql", "INSERT INTO logs "]]
    assert (told["synchronous"], told["journal"]) == (2, "wal")
    PROMISES[DURABLE].trials += 1


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("flipped", "that was announced: the file changed after it was recorded"),
        ("cut", "bytes where"),
        ("gone", "its object is not in the spool"),
    ],
)
def test_an_object_that_is_not_what_was_recorded_is_rejected_and_the_others_arrive(
    spool: Spool, stores: Stores, agent_id: str, flaw: str, reason: str
) -> None:
    random, trials = moments(flaw), some(0.3)
    for _ in range(trials):
        recorder = Recorder(agent_id, spool=spool.folder, deliver=False, exit_seconds=0)
        with recorder.run("x") as run:
            ids = [run.screenshot(png(number), words=str(number)) for number in range(3)]
        recorder.close()
        victim = random.choice(ids)
        _harm(_object_of(spool, victim), flaw, random.random())

        Delivery(spool, stores.settings).drain()

        with spool.ledger() as ledger:
            (rejected,) = ledger.rejected()
            assert (flaw == "gone") == (object_of(spool, rejected) is None)  # what is left is kept
            ledger.forget_rejected([rejected])
        kept = Kept(stores, agent_id)
        assert reason in rejected.reason
        assert set(ids) - {row.id for row in kept.files} == {victim}
        assert kept.rows_without_object() == []
    PROMISES[VERIFIED].trials += trials


def _object_of(spool: Spool, file_id: UUID) -> Path:
    uploads = (one for one in records(spool, Lane.FILES) if isinstance(one, Upload))
    (found,) = (upload.content for upload in uploads if upload.file.id == file_id)
    assert isinstance(found, Path)
    return found


def _harm(path: Path, flaw: str, where: float) -> None:
    content = bytearray(path.read_bytes())
    if flaw == "gone":
        path.unlink()
        return
    if flaw == "flipped":
        content[int(where * len(content))] ^= 1
    path.write_bytes(content if flaw == "flipped" else content[: int(where * len(content))])
