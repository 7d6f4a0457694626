"""Stores killed, frozen and cut off under load: the agent does not notice, and all arrives once.

`AGENTRUNS_OUTAGE_SECONDS=60` makes each outage longer than the few seconds of every day.
"""

import operator
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from agentruns.spool import Spool
from apps.stack import Stack
from apps.stack.processes import find_processes
from storage.settings import load_settings
from storage.stores import Stores
from tests.faults.conftest import Proxied, behind_proxies
from tests.faults.recording_children import Agent, Child, DeliveryProcess
from tests.faults.recording_stores import Kept, raw_mongo
from tests.faults.recording_trials import (
    OUTAGE_SECONDS,
    TRIALS,
    check,
    count_outage,
    moments,
    some,
    wait_until,
    wait_until_empty,
)

pytestmark = pytest.mark.slow

OUTAGE = "3  a store away under load"
REBOOT = "   reboot: everything killed at once"
QUIET_SECONDS = 1.0
#: Our words for the servers of the stack.
SERVERS = {"mongo": "mongodb", "postgres": "postgres", "minio": "minio"}
#: What goes on although a store is away: all that does not end there.
GOES_ON = {
    "mongo": ("task_progress", "binary_file_metadata"),
    "postgres": ("agent_logs",),
    "minio": ("agent_logs", "task_progress"),
}
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@pytest.fixture(scope="module")
def own(short_folders: Path) -> Iterator[Stack]:
    """Servers that may be hurt; every test leaves them running."""
    stack = Stack(short_folders / "own")
    stack.up(prefect=False)
    yield stack
    stack.reset()


@pytest.fixture
def away(own: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxied]:
    """The same behind proxies."""
    for name, value in own.environment().items():
        monkeypatch.setenv(name, value)
    with behind_proxies(load_settings()) as proxied:
        yield proxied


@pytest.fixture
def spool() -> Iterator[Spool]:
    """A spool in memory, so that what takes long is no disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Spool(Path(folder) / "spool").prepare()


Outage = Callable[[Stack, Proxied, str], AbstractContextManager[None]]


@contextmanager
def killed(own: Stack, _: Proxied, store: str) -> Iterator[None]:
    """The server is killed, and nobody starts it again until the outage is over."""
    supervisor, processes = supervisor_of(own), processes_of(own, store)
    supervisor.suspend()
    try:
        for process in processes:
            _told(process.kill)
        yield
    finally:
        supervisor.resume()


@contextmanager
def frozen(own: Stack, _: Proxied, store: str) -> Iterator[None]:
    """The server keeps its connections and says nothing."""
    processes = processes_of(own, store)
    for process in processes:
        _told(process.suspend)
    try:
        yield
    finally:
        for process in processes:
            _told(process.resume)


def _told(signal_it: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):  # servers end processes of theirs all the time
        signal_it()


@contextmanager
def black_holed(_: Stack, proxied: Proxied, store: str) -> Iterator[None]:
    """The network swallows everything."""
    proxy = getattr(proxied, store)
    proxy.black_hole()
    try:
        yield
    finally:
        proxy.forward()


def everything_of(own: Stack) -> list[psutil.Process]:
    """All servers with their supervisor."""
    return find_processes(own.home, own.home / "stack/data/postgres/data")


def processes_of(own: Stack, store: str) -> list[psutil.Process]:
    (pid,) = [each["pid"] for each in own.status()["servers"] if each["name"] == SERVERS[store]]
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def supervisor_of(own: Stack) -> psutil.Process:
    (found,) = [each for each in everything_of(own) if _supervises(each)]
    return found


def _supervises(process: psutil.Process) -> bool:
    return "supervisor.supervisord" in process.cmdline()


@pytest.mark.parametrize("outage", [killed, frozen, black_holed])
@pytest.mark.parametrize("store", SERVERS)
@pytest.mark.timeout(300 + 30 * OUTAGE_SECONDS)
def test_a_store_away_costs_the_agent_nothing_and_loses_nothing(
    own: Stack, away: Proxied, spool: Spool, store: str, outage: Outage
) -> None:
    agent_id, trials = f"t{uuid4().hex[:16]}", some(0.05)
    stores = Stores(away.direct)
    delivery = DeliveryProcess(spool.folder, "--forever", environment=away.environment)
    with closing(stores), delivery:
        agent = Agent(spool.folder, agent_id, "--pause", 0.004, "--threads", 1).begin()
        arrived = partial(_arrived, stores, agent_id, store)
        wait_until(lambda: all(arrived()), 60, "nothing has arrived before a store went away")
        for _ in range(trials):
            _suffer(agent, outage(own, away, store), arrived)
            own.up(prefect=False)
            time.sleep(QUIET_SECONDS)
        assert agent.finish() == 0
        wait_until_empty(spool, delivery, 180 + OUTAGE_SECONDS)

        check(OUTAGE, Kept(stores, agent_id), [agent], trials)


def _suffer(
    agent: Agent, outage: AbstractContextManager[None], arrived: Callable[[], list[int]]
) -> None:
    with outage:
        begin = time.monotonic()
        time.sleep(QUIET_SECONDS)  # what was under way arrives
        before = arrived()
        time.sleep(OUTAGE_SECONDS)
        end, after = time.monotonic(), arrived()
    assert all(map(operator.lt, before, after)), "another lane has waited for this store"
    count_outage(OUTAGE, agent.acknowledged, begin, end)


def _arrived(stores: Stores, agent_id: str, away: str) -> list[int]:
    """How much has arrived where no store is away."""
    return [_number(stores, agent_id, name) for name in GOES_ON[away]]


def _number(stores: Stores, agent_id: str, name: str) -> int:
    if name == "agent_logs":
        with raw_mongo(stores.settings) as client:
            return client[f"agent_{agent_id}"][name].count_documents({})
    statement = f"SELECT count(*) FROM {name} WHERE agent_id = %s"
    with stores.postgres.connection() as connection:
        return sum(connection.execute(statement.encode(), [agent_id]).fetchone() or ())


@pytest.mark.timeout(300 + 3 * TRIALS)
def test_a_machine_that_goes_down_in_the_middle_has_lost_nothing_when_it_is_up_again(
    own: Stack, away: Proxied, tmp_path: Path
) -> None:
    random, agent_id, trials = moments("reboot"), f"t{uuid4().hex[:16]}", some(0.05)
    spool, agents = Spool(tmp_path / "spool").prepare(), []
    for _ in range(trials):
        delivery = DeliveryProcess(spool.folder, "--forever")
        delivery.wait_for("begins")
        agents.append(Agent(spool.folder, agent_id, "--pause", 0.002).begin())
        agents[-1].wait_for("progress")
        time.sleep(random.uniform(0, 2))
        _go_down(own, agents[-1], delivery)
        own.up(prefect=False)
    with DeliveryProcess(spool.folder) as last:
        assert last.wait(120) == 0, last.lines

    assert spool.sessions() == []
    with closing(Stores(away.direct)) as stores:
        kept = Kept(stores, agent_id)
        assert {row.status for row in kept.tasks.values()} == {"interrupted"}
        check(REBOOT, kept, agents, trials)


def _go_down(own: Stack, *children: Child) -> None:
    pids = [child.pid for child in children] + [each.pid for each in everything_of(own)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for child in children:
        child.wait()
