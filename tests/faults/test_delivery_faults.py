"""The delivery of a spool while stores are away and the delivery itself is killed.

`AGENTRUNS_TRIALS` runs more kills than the few of every day.
"""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from urllib.parse import urlsplit

import psutil
import pytest

from agentruns.models import AgentTask
from agentruns.spool import Ledger, Session, Spool
from apps.stack import Stack
from storage.access import Provisioning
from storage.access.credentials import credentials_file, write_credentials
from storage.delivery import Delivery, backoff, postgres_destination
from storage.minio import clients as minio_clients
from storage.mongo import clients as mongo_clients
from storage.postgres.schema import migrate
from storage.settings import Settings, load_settings
from storage.stores import Stores
from tests.faults.conftest import Proxied
from tests.integration.deliveries import (
    a_task,
    delivery_process,
    everything,
    records_of,
    stored,
    written,
)
from tests.integration.test_writer import evidence_at

TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "5"))

#: What still arrives while a store is away.
GOES_ON = {
    "mongo": ["tasks", "progress", "files", "objects"],
    "postgres": ["logs", "memories", "objects"],
    "minio": ["tasks", "progress", "logs", "memories"],
}
#: The lanes that need a store.
WAITING = {"mongo": {"Logs"}, "postgres": {"Rows", "Files"}, "minio": {"Files"}}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minio_clients, "READ_SECONDS", 1.5)
    monkeypatch.setattr(mongo_clients, "REPLY_MS", 1500)
    monkeypatch.setattr(mongo_clients, "AWAY_MS", 700)
    monkeypatch.setattr(postgres_destination, "SECONDS", 3.0)
    monkeypatch.setattr(backoff, "_MOST_SECONDS", 1.0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def task(agent_id: str) -> AgentTask:
    return a_task(agent_id)


@contextmanager
def serving(spool: Spool, settings: Settings | None = None) -> Iterator[None]:
    """A delivery at work for the time of the block."""
    stop, delivery = Event(), Delivery(spool, settings)
    thread = Thread(target=delivery.serve, args=[stop], kwargs={"forever": True})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def until(is_so: Callable[[], bool], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def twice(number: int) -> Counter[str]:
    """What two lots of records of one task are; their screenshots are the same objects."""
    both = everything(number) + everything(number)
    both.update(tasks=-1, objects=-5)
    return both


def only(kinds: list[str], counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in kinds}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
@pytest.mark.parametrize("store", ["mongo", "postgres", "minio"])
def test_a_store_away_holds_up_its_own_lane_only_and_everything_arrives_once(
    spool: Spool, proxied: Proxied, stores: Stores, task: AgentTask, store: str, fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "storage.delivery")
    session = Session(spool)
    session.append(records_of(task, 30))
    with serving(spool, proxied.settings):
        until(lambda: stored(stores, task) == everything(30))
        getattr(getattr(proxied, store), fault)()
        session.append(records_of(task, 30)[1:])
        goes_on = GOES_ON[store]
        until(lambda: only(goes_on, stored(stores, task)) == only(goes_on, twice(30)))
        until(lambda: said_to_wait(caplog) == WAITING[store])
        time.sleep(1)
        before = evidence_at(stores, task)

        getattr(proxied, store).forward()
        until(lambda: stored(stores, task) == twice(30))

        until(lambda: evidence_at(stores, task) > before)
    session.close()
    lines = [record.getMessage() for record in caplog.records if record.name != "storage.retries"]
    waiting = [line for line in lines if " wait: " in line]
    going = [line for line in lines if " go on " in line]
    assert len(waiting) == len(going) == len(WAITING[store])
    assert not any(secret in caplog.text for secret in secrets(proxied.settings))


def said_to_wait(caplog: pytest.LogCaptureFixture) -> set[str]:
    lines = [record.getMessage() for record in caplog.records]
    return {line.split()[0] for line in lines if " wait: " in line}


def secrets(settings: Settings) -> list[str]:
    urls = [settings.required("mongodb_url"), settings.required("postgres_url")]
    return [settings.required("minio_secret_key"), *(urlsplit(url).password or "?" for url in urls)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("store", "marker"),
    [("minio", b"PUT /screenshots/"), ("mongo", b"\x02insert\x00"), ("postgres", b"COMMIT")],
)
def test_a_reply_lost_after_the_commit_stores_nothing_twice(
    spool: Spool, proxied: Proxied, stores: Stores, task: AgentTask, store: str, marker: bytes
) -> None:
    session = Session(spool)
    session.append(records_of(task, 30))
    with serving(spool, proxied.settings):
        until(lambda: stored(stores, task) == everything(30))
        getattr(proxied, store).cut_reply_to(marker)
        session.append(records_of(task, 30)[1:])
        until(lambda: getattr(proxied, store).cuts == 1)
        until(lambda: stored(stores, task) == twice(30))
    session.close()

    assert Delivery(spool, proxied.settings).drain().pending == 0
    assert stored(stores, task) == twice(30)


@pytest.mark.usefixtures("impatient")
def test_a_drain_gives_up_a_store_that_stays_away_and_says_what_is_left(
    spool: Spool, proxied: Proxied, stores: Stores, task: AgentTask
) -> None:
    written(spool, records_of(task, 30))
    proxied.mongo.refuse()

    drained = Delivery(spool, proxied.settings).drain()

    assert drained.pending == 31
    assert drained.delivered["progress"] == 30
    assert Delivery(spool, proxied.settings).drain(timeout=0.5).pending == 31
    proxied.mongo.forward()
    assert Delivery(spool, proxied.settings).drain().pending == 0
    assert stored(stores, task) == everything(30)


@pytest.mark.slow
def test_a_frozen_store_is_given_up_for_now_within_one_deadline(
    spool: Spool, proxied: Proxied, stores: Stores, task: AgentTask,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    session = Session(spool)
    session.append(records_of(task, 5))
    with serving(spool, proxied.settings):
        until(lambda: stored(stores, task) == everything(5))
        for proxy in (proxied.mongo, proxied.postgres, proxied.minio):
            proxy.black_hole()
        session.append(records_of(task, 5)[1:])
        until(lambda: said_to_wait(caplog) == {"Logs", "Rows", "Files"}, seconds=20)
        for proxy in (proxied.mongo, proxied.postgres, proxied.minio):
            proxy.forward()
        until(lambda: stored(stores, task) == twice(5))
    session.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("flaw", ["no value", "wrong port", "wrong password"])
def test_settings_that_are_put_right_meanwhile_count_without_a_restart(
    spool: Spool, stores: Stores, task: AgentTask, flaw: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    with Provisioning(stores.settings) as access:
        key = access.add(task.agent_id)
        assert key
        right = access.environment_of(key)
    url = right["MONGODB_URL"]
    wrong = {
        "no value": "",
        "wrong port": url.replace(f":{urlsplit(url).port}", ":1"),
        "wrong password": url.replace(f":{urlsplit(url).password}@", ":hunter2@"),
    }
    file = credentials_file(task.agent_id)
    write_credentials(file, right | {"MONGODB_URL": wrong[flaw]})
    written(spool, records_of(task, 5))
    with serving(spool):
        until(lambda: stored(stores, task)["files"] == 5)
        time.sleep(1)
        assert stored(stores, task)["logs"] == 0

        write_credentials(file, right)

        until(lambda: stored(stores, task) == everything(5))


@pytest.fixture(scope="module")
def own(short_folders: Path) -> Iterator[Stack]:
    """Servers that may be frozen and killed."""
    stack = Stack(short_folders / "own")
    stack.up(prefect=False)
    migrate(stack.environment()["POSTGRES_OWNER_URL"])
    yield stack
    stack.reset()


@pytest.fixture
def own_settings(own: Stack, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in own.environment().items():
        monkeypatch.setenv(name, value)
    return load_settings()


def server(own: Stack, name: str) -> list[psutil.Process]:
    (found,) = [each for each in own.status()["servers"] if each["name"] == name]
    process = psutil.Process(found["pid"])
    return [process, *process.children(recursive=True)]


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["frozen", "killed"])
@pytest.mark.parametrize("name", ["mongodb", "postgres", "minio"])
def test_a_server_that_is_frozen_or_killed_under_load_costs_nothing(
    spool: Spool, own: Stack, own_settings: Settings, task: AgentTask, name: str, fault: str
) -> None:
    session = Session(spool)
    session.append([task])
    with Stores(own_settings) as stores, serving(spool, own_settings):
        for number in range(20):
            session.append(records_of(task, 20, pictures=2)[1:])
            if number == 5 and fault == "killed":
                server(own, name)[0].kill()
            if number == 5 and fault == "frozen":
                frozen = server(own, name)
                for process in frozen:
                    process.suspend()
            time.sleep(0.2)
        if fault == "frozen":
            for process in frozen:
                process.resume()
        until(lambda: own.status()["ready"])
        expected = Counter(tasks=1, progress=400, logs=400, memories=20, files=40, objects=2)
        until(lambda: stored(stores, task) == expected)
    session.close()


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * TRIALS)
def test_a_delivery_killed_at_any_moment_loses_nothing_and_stores_nothing_twice(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    random = Random(11)
    tasks: list[AgentTask] = []
    whole, at_work = sum(everything(3000, 300).values()), []
    for _ in range(TRIALS):
        tasks.append(a_task(agent_id))
        written(spool, records_of(tasks[-1], 3000, pictures=300))
        # Moments of its work, not of the clock: a slow machine is hit in the middle as well.
        at_work.append(_killed_after(random.randrange(whole), spool))
    assert any(at_work)

    drained = Delivery(spool, stores.settings).drain()

    assert (drained.pending, drained.rejected) == (0, 0)
    assert spool.sessions() == []
    for task in tasks:
        assert stored(stores, task) == everything(3000, 300)


def _killed_after(events: int, spool: Spool) -> bool:
    """Kill a delivery when so many events have left the spool; says whether it was at work."""
    with delivery_process(spool) as process, spool.ledger() as ledger:
        assert process.stderr
        assert "begins" in process.stderr.readline()
        began = _acknowledged(spool, ledger)
        until(lambda: _acknowledged(spool, ledger) - began >= events or process.poll() is not None)
        at_work = process.poll() is None
        process.send_signal(signal.SIGKILL)
        return at_work


def _acknowledged(spool: Spool, ledger: Ledger) -> int:
    sessions = spool.sessions()
    return sum(sum(ledger.counts(session.name).delivered.values()) for session in sessions)
