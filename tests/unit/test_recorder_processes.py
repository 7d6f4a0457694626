"""A recorder in threads, forked and spawned children, and beside its delivery."""

import io
import multiprocessing
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agentruns import Recorder
from agentruns.models import AgentTask, LogEntry, Status
from agentruns.recording import delivery_starter
from agentruns.recording.delivery_starter import (
    DeliveryStarter,
    delivery_environment,
    start_delivery,
)
from agentruns.spool import Session, Spool
from tests.own_spool import deliveries
from tests.unit.spools import events, records

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder("a", spool=tmp_path / "spool", deliver=False, exit_seconds=0) as recorder:
        yield recorder


def messages(spool: Spool) -> set[str]:
    return {one.message for one in records(spool) if isinstance(one, LogEntry)}


def statuses(spool: Spool, task_id: UUID) -> list[Status]:
    told = [one for one in records(spool) if isinstance(one, AgentTask)]
    return [task.status for task in told if task.id == task_id]


def in_a_fork(work: Callable[[], object]) -> int:
    """Do something in a forked child that ends as os.fork's children do; gives its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended)


def test_threads_record_at_once_and_nothing_is_lost(recorder: Recorder) -> None:
    run = recorder.start_run()

    def work(name: int) -> None:
        for number in range(200):
            run.log(f"{name}-{number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert messages(recorder.spool) == {f"{a}-{b}" for a in range(8) for b in range(200)}
    numbers = [event.sequence for event in events(recorder.spool) if event.sequence]
    assert sorted(numbers) == list(range(1, 1601))


def test_threads_that_begin_at_once_share_one_session(recorder: Recorder) -> None:
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        recorder.start_run().finish()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recorder.spool.sessions()) == 1


def test_closing_while_others_write_costs_them_nothing(recorder: Recorder) -> None:
    def work(name: int) -> None:
        for number in range(200):
            run.log(f"{name}-{number}")

    run = recorder.start_run()
    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        recorder.close()
        time.sleep(0.01)
    assert messages(recorder.spool) == {f"{a}-{b}" for a in range(3) for b in range(200)}


def test_a_signal_handler_may_record_whatever_it_interrupts(tmp_path: Path) -> None:
    ended = run_agent(
        tmp_path,
        """
import signal, time
def handle(*_):
    run.log("in the handler")
    run.screenshot(b"of the handler")
    if time.monotonic() < until:  # on a slow machine one log might else be interrupted for ever
        signal.setitimer(signal.ITIMER_REAL, 0.001)
run = recorder.start_run()
until = time.monotonic() + 1
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.001)
while time.monotonic() < until:
    run.log("interrupted")
signal.signal(signal.SIGALRM, signal.SIG_IGN)
run.finish()
""",
    )
    assert ended.returncode == 0, ended.stderr
    assert messages(Spool(tmp_path)) == {"interrupted", "in the handler"}
    numbers = [event.sequence for event in events(Spool(tmp_path)) if event.sequence]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_ctrl_c_in_one_thread_costs_another_none_of_its_events(tmp_path: Path) -> None:
    ended = run_agent(
        tmp_path,
        """
import signal, threading
from pydantic_core import PydanticSerializationError
def work(name):
    for number in range(400):
        run.log(f"{name}-{number}")
def handle(*_):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt
run = recorder.start_run()
armed = False
signal.signal(signal.SIGALRM, handle)
threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
for thread in threads:
    thread.start()
interrupted = 0
while any(thread.is_alive() for thread in threads):
    try:
        armed = True
        signal.setitimer(signal.ITIMER_REAL, 0.0002 * (1 + interrupted % 7))
        while True:
            run.log("main")
    except (KeyboardInterrupt, PydanticSerializationError):
        interrupted += 1
print(interrupted)
""",
    )
    assert int(ended.stdout) > 10, ended.stderr
    kept = messages(Spool(tmp_path)) - {"main"}
    assert kept == {f"{name}-{number}" for name in range(3) for number in range(400)}, ended.stderr


@pytest.mark.parametrize("removed", ["", "sessions"], ids=["all of it", "its sessions"])
def test_a_recording_goes_on_when_its_spool_is_removed_under_it(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, removed: str
) -> None:
    run = recorder.start_run()
    run.log("before")
    shutil.rmtree(recorder.spool.folder / removed)
    Spool(recorder.spool.folder).prepare()  # as the next recorder or delivery does
    run.log("after")
    run.finish()
    assert messages(recorder.spool) == {"after"}
    assert statuses(recorder.spool, run.task_id) == [Status.IN_PROGRESS, Status.COMPLETED]
    assert caplog.text.count("was removed in the middle of a recording") == 1


def test_a_run_whose_spool_was_removed_is_interrupted_when_its_agent_is_killed(
    tmp_path: Path,
) -> None:
    work = """
import shutil
recorder.start_run().finish()
run = recorder.start_run()
shutil.rmtree(recorder.spool.folder / "sessions")
run.log("after")
os.kill(os.getpid(), 9)
"""
    assert run_agent(tmp_path, work).returncode == -signal.SIGKILL
    (session,) = Spool(tmp_path).sessions()
    assert session.settle()
    (task,) = {one.id for one in records(Spool(tmp_path)) if isinstance(one, AgentTask)}
    assert statuses(Spool(tmp_path), task) == [Status.IN_PROGRESS, Status.INTERRUPTED]


def test_a_forked_child_has_a_session_of_its_own(recorder: Recorder) -> None:
    with recorder.run() as run:
        run.log("parent before")
        assert in_a_fork(lambda: run.log("child")) == 0
        run.log("parent after")
    assert messages(recorder.spool) == {"parent before", "child", "parent after"}
    assert len(recorder.spool.sessions()) == 2


def test_a_forked_child_never_ends_the_run_of_its_parent(recorder: Recorder) -> None:
    def leave() -> None:
        run.finish("failed")
        recorder.close()
        with run:
            pass

    run = recorder.start_run()
    assert in_a_fork(leave) == 0
    run.finish()
    assert statuses(recorder.spool, run.task_id) == [Status.IN_PROGRESS, Status.COMPLETED]


def test_a_forked_child_may_have_runs_of_its_own(recorder: Recorder) -> None:
    def work() -> None:
        with recorder.run("child's") as inner:
            inner.log("in the child")

    with recorder.run() as run:
        assert in_a_fork(work) == 0
    theirs = [
        one
        for one in records(recorder.spool)
        if isinstance(one, AgentTask) and one.title == "child's"
    ]
    assert [task.status for task in theirs] == [Status.IN_PROGRESS, Status.COMPLETED]
    assert theirs[0].metadata["parent_task_id"] == str(run.task_id)
    assert theirs[0].metadata["recorder"]["pid"] != os.getpid()


def test_a_fork_while_other_threads_record_stops_nobody(recorder: Recorder) -> None:
    run = recorder.start_run()
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            run.log("chatter")

    threads = [threading.Thread(target=chatter) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        codes = [in_a_fork(lambda: run.log("child")) for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 10
    assert messages(recorder.spool) == {"chatter", "child"}
    assert not any(event.damage for event in events(recorder.spool))


def test_a_fork_while_other_threads_print_stops_nobody(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    run = recorder.start_run()
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            sys.stdout.write("chatter\n")

    def say() -> None:
        signal.alarm(20)
        sys.stdout.write("child\n")

    threads = [threading.Thread(target=chatter) for _ in range(2)]
    with run.capture_output():
        for thread in threads:
            thread.start()
        try:
            codes = [in_a_fork(say) for _ in range(10)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert codes == [0] * 10
    assert messages(recorder.spool) == {"chatter", "child"}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_share_the_spool(tmp_path: Path, method: str) -> None:
    recorder = Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0)
    recorder.start_run("parent's").finish()
    context = multiprocessing.get_context(method)
    children = [context.Process(target=record_in_child, args=(tmp_path, n)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert messages(recorder.spool) == {"child 0", "child 1"}
    recorder.close()


def record_in_child(spool: Path, number: int) -> None:
    with (
        Recorder("a", spool=spool, deliver=False, exit_seconds=0) as recorder,
        recorder.run() as run,
    ):
        run.log(f"child {number}")


def test_an_agent_that_ends_says_what_is_in_its_spool(tmp_path: Path) -> None:
    ended = run_agent(tmp_path, "run = recorder.start_run(); run.log('hello')")
    assert ended.stderr == (
        f"3 events are still in the spool {tmp_path}, and nobody delivers: "
        f"run `agentruns deliver --spool {tmp_path}` (part of agentruns[server]).\n"
    )
    assert messages(Spool(tmp_path)) == {"hello"}


def test_an_agent_that_is_killed_has_lost_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    work = "run = recorder.start_run(); run.log('hello'); os.kill(os.getpid(), 9)"
    assert run_agent(tmp_path, work).returncode == -signal.SIGKILL
    assert messages(Spool(tmp_path)) == {"hello"}
    (session,) = Spool(tmp_path).sessions()
    assert session.settle()
    (task,) = {one.id for one in records(Spool(tmp_path)) if isinstance(one, AgentTask)}
    assert statuses(Spool(tmp_path), task) == [Status.IN_PROGRESS, Status.INTERRUPTED]


def test_the_exit_of_an_agent_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    started = time.monotonic()
    run_agent(tmp_path, "recorder.start_run()", AGENTRUNS_EXIT_SECONDS="0.5", timeout=None)
    assert 0.5 < time.monotonic() - started < 10


def run_agent(
    spool: Path, work: str, timeout: float | None = 0, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a small agent in a process of its own."""
    program = (
        "import os; from agentruns import Recorder\n"
        f"recorder = Recorder('a', spool={str(spool)!r}, deliver=False, exit_seconds={timeout})\n"
        f"{work}\n"
    )
    environment = {**os.environ, **settings}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python_path", [None, "{folder}", "", ":elsewhere"])
def test_a_delivery_takes_no_folder_of_the_agent_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python_path: str | None
) -> None:
    for name in ("storage", "tasks", "flows", "models", "quality"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the agent was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    if python_path is not None:
        # An empty part of it means the current folder.
        monkeypatch.setenv("PYTHONPATH", python_path.format(folder=tmp_path))
    spool = Spool(tmp_path / "spool").prepare()
    os.waitpid(start_delivery(spool.folder), 0)
    _until(lambda: not spool.delivering())
    said = (spool.folder / "delivery.log").read_text()
    assert "The delivery begins." in said
    assert "imported" not in said
    assert (spool.folder / "delivery.log").stat().st_mode & 0o777 == 0o600


def test_a_delivery_keeps_nothing_open_that_a_shell_gave_to_the_agent(tmp_path: Path) -> None:
    heard, given = os.pipe()
    os.set_inheritable(given, True)
    child = start_delivery(Spool(tmp_path / "spool").prepare().folder)
    os.kill(child, signal.SIGSTOP)  # so that its own end says nothing
    os.close(given)
    ended, _, _ = select.select([heard], [], [], 5)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(heard)
    assert ended


WAITING_AGENT = """
import os, sys
from agentruns.recording.delivery_starter import start_delivery
from agentruns.spool import Session, Spool
spool = Spool(sys.argv[1])
session = Session(spool)
start_delivery(spool.folder)
try:
    while True:
        os.wait()
except ChildProcessError:
    print(spool.delivering())
"""


def test_an_agent_that_waits_for_all_its_children_does_not_wait_for_the_delivery(
    tmp_path: Path,
) -> None:
    agent = [sys.executable, "-c", WAITING_AGENT, str(tmp_path)]
    assert subprocess.check_output(agent, text=True, timeout=30) == "True\n"
    _until(lambda: not Spool(tmp_path).delivering())


def test_a_delivery_is_at_work_from_its_start_until_it_has_ended(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    session = Session(spool)
    starter = DeliveryStarter(spool, wanted=True)
    starter.look()
    for _ in range(300):
        assert starter.at_work()
        time.sleep(0.01)
    _until(spool.delivering)
    (pid,) = deliveries(tmp_path)
    assert spool.delivery_lock().signature() == pid
    session.close()
    _until(lambda: not starter.at_work())
    assert not spool.delivering()


def test_a_python_path_without_folders_like_ours_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert delivery_environment()["PYTHONPATH"] == str(tmp_path)
    (tmp_path / "tasks.py").touch()
    assert delivery_environment()["PYTHONPATH"] == f"{ROOT}{os.pathsep}{tmp_path}"


def test_a_delivery_is_started_once_and_again_when_it_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def start(_: Path) -> int:
        started.append(os.posix_spawnp("sleep", ["sleep", "60"], os.environ))
        return started[-1]

    monkeypatch.setattr(delivery_starter, "start_delivery", start)
    monkeypatch.setattr(delivery_starter, "LOOK_SECONDS", 0)
    monkeypatch.setattr(delivery_starter, "RESTART_SECONDS", 0.2)
    starter = DeliveryStarter(Spool(tmp_path).prepare(), wanted=True)
    for _ in range(5):
        starter.look()
    assert len(started) == 1
    os.kill(started[0], signal.SIGKILL)
    _until(lambda: not starter.at_work())
    starter.look()
    time.sleep(0.25)
    starter.look()
    assert len(started) == 2
    assert starter.at_work()
    os.kill(started[1], signal.SIGKILL)
    _until(lambda: not starter.at_work())


def test_no_delivery_is_started_where_one_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_starter, "start_delivery", lambda _: pytest.fail("it was started"))
    spool = Spool(tmp_path).prepare()
    lock = spool.delivery_lock()
    assert lock.acquire()
    DeliveryStarter(spool, wanted=True).look()
    lock.release()


@pytest.mark.parametrize("wanted", [True, False])
def test_no_delivery_is_started_where_it_is_not_wanted_or_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setattr(delivery_starter, "start_delivery", lambda _: pytest.fail("it was started"))
    monkeypatch.setenv("AGENTRUNS_DELIVER", "no")
    monkeypatch.setattr(delivery_starter, "_is_installed", lambda: not wanted)
    starter = DeliveryStarter(Spool(tmp_path).prepare(), wanted=wanted)
    starter.look()
    assert not starter.can_start()


def test_a_delivery_that_cannot_be_started_is_told_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with Recorder("a", spool=tmp_path, exit_seconds=0) as recorder:
        recorder.start_run().finish()
    assert "could not be started" in caplog.messages[0]
    assert "3 events" not in caplog.messages[1]


def _until(settled: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not settled():
        assert time.monotonic() < deadline
        time.sleep(0.01)
