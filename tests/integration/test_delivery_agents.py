"""A delivery that serves several agents is each of them to the stores, and never another."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from agentruns.models import AgentTask, utcnow
from agentruns.spool import Session, Spool
from storage.access import Provisioning
from storage.access.credentials import credentials_file, write_credentials
from storage.access.postgres import PostgresAccess
from storage.delivery import Delivery, adapters
from storage.settings import Settings
from storage.stores import Stores
from tests.integration.deliveries import a_task, everything, records_of, stored, written


@pytest.fixture(autouse=True)
def own_credentials(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent is let in unless the test does, and keys lie in a folder of the test's own."""
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AGENTRUNS_PROVISION", "no")


@pytest.fixture
def access(settings: Settings) -> Iterator[Provisioning]:
    with Provisioning(settings) as access:
        yield access


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def let_in(access: Provisioning, agent_id: str, **options: bool) -> str:
    """Let an agent in; gives the id of the key that the delivery finds."""
    key = access.add(agent_id, **options)
    assert key
    write_credentials(credentials_file(agent_id), access.environment_of(key))
    return key.key_id


def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_each_agent_is_delivered_with_its_own_key_and_nothing_else(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tasks = [a_task(f"{agent_id}-{name}") for name in "ab"]
    for task in tasks:
        let_in(access, task.agent_id)
        written(spool, records_of(task, 10))
    # The process itself can do nothing: what arrives has come by the agents' keys.
    monkeypatch.setenv("POSTGRES_URL", "postgresql://nobody:nothing@127.0.0.1:9/none")
    monkeypatch.setenv("MONGODB_URL", "mongodb://nobody:nothing@127.0.0.1:9")
    monkeypatch.setenv("MINIO_ACCESS_KEY", "nobody")

    drained = Delivery(spool).drain()

    assert (drained.pending, drained.rejected) == (0, 0)
    for task in tasks:
        assert stored(stores, task) == everything(10)


def test_an_append_only_agent_is_delivered_as_well(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str
) -> None:
    task = a_task(agent_id)
    let_in(access, agent_id, append_only=True)
    written(spool, records_of(task, 10))

    assert Delivery(spool).drain().pending == 0

    assert stored(stores, task) == everything(10)


def test_what_one_agent_says_of_anothers_task_is_refused(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str
) -> None:
    theirs = a_task(f"{agent_id}-b")
    stores.writer.write([theirs])
    let_in(access, f"{agent_id}-a")
    lies = [
        record.model_copy(update={"agent_id": f"{agent_id}-a"})
        for record in records_of(theirs, 3, pictures=0)[4:7]
    ]
    written(spool, lies)

    drained = Delivery(spool).drain()

    assert (drained.pending, drained.rejected) == (0, 3)
    assert stored(stores, theirs)["progress"] == 0


def test_an_agent_that_was_not_let_in_waits_and_holds_up_no_other(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "storage.delivery")
    stranger, known = a_task(f"{agent_id}-stranger"), a_task(f"{agent_id}-known")
    written(spool, records_of(stranger, 10))
    let_in(access, known.agent_id)
    stop = Event()
    thread = Thread(target=Delivery(spool).serve, args=[stop], kwargs={"forever": True})
    thread.start()
    try:
        session = Session(spool)
        session.append(records_of(known, 10))
        until(lambda: stored(stores, known) == everything(10))
        assert sum(stored(stores, stranger).values()) == 0
        assert f"agentruns agents add {stranger.agent_id}" in caplog.text

        let_in(access, stranger.agent_id)

        until(lambda: stored(stores, stranger) == everything(10))
        session.close()
    finally:
        stop.set()
        thread.join(30)


def test_a_rotated_key_is_picked_up_without_a_restart(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str
) -> None:
    task = a_task(agent_id)
    old = let_in(access, agent_id)
    stop, session = Event(), Session(spool)
    thread = Thread(target=Delivery(spool).serve, args=[stop], kwargs={"forever": True})
    thread.start()
    try:
        session.append(records_of(task, 10))
        until(lambda: stored(stores, task) == everything(10))

        new = access.rotate(agent_id, timedelta())
        write_credentials(credentials_file(agent_id), access.environment_of(new))
        session.append(records_of(task, 10)[1:])

        until(lambda: stored(stores, task)["logs"] == 20 and stored(stores, task)["progress"] == 20)
        until(lambda: stored(stores, task)["files"] == 10)
        session.close()
    finally:
        stop.set()
        thread.join(30)
    assert new.key_id != old


def test_news_of_a_task_that_come_with_a_key_that_is_over_are_not_lost(
    spool: Spool, stores: Stores, access: Provisioning, settings: Settings, agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """MongoDB lets the key in until it is taken back; PostgreSQL shows it no task to update."""
    monkeypatch.setattr(adapters, "_LOOK_SECONDS", 3600.0)
    task = a_task(agent_id)
    key = let_in(access, agent_id)
    stop, session = Event(), Session(spool)
    thread = Thread(target=Delivery(spool).serve, args=[stop], kwargs={"forever": True})
    thread.start()
    try:
        session.append(records_of(task, 10))
        until(lambda: stored(stores, task) == everything(10))
        time.sleep(2)
        known = stores.postgres.get_task(task.id)
        PostgresAccess(settings.required("postgres_url")).expire(key, utcnow())
        session.append(records_of(task, 1, pictures=0)[1:2])
        until(lambda: stored(stores, task)["logs"] == 11)
        time.sleep(2)
        new = access.rotate(agent_id, timedelta(hours=1))
        write_credentials(credentials_file(agent_id), access.environment_of(new))

        until(lambda: stores.postgres.get_task(task.id) != known)
        session.close()
    finally:
        stop.set()
        thread.join(30)


def test_a_disabled_agents_records_stay_in_the_spool(
    spool: Spool, stores: Stores, access: Provisioning, agent_id: str
) -> None:
    task = a_task(agent_id)
    let_in(access, agent_id)
    access.disable(agent_id)
    written(spool, records_of(task, 5))

    drained = Delivery(spool).drain(timeout=3)

    assert (sum(drained.delivered.values()), drained.rejected) == (0, 0)
    assert drained.pending == len(records_of(task, 5))


def test_in_dev_an_agent_is_let_in_by_its_first_record(
    spool: Spool, stores: Stores, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTRUNS_PROVISION")
    task = a_task(agent_id)
    written(spool, records_of(task, 5))

    assert Delivery(spool).drain().pending == 0

    assert stored(stores, task) == everything(5)
    file = credentials_file(agent_id)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "key_" in file.read_text()


def test_in_production_nobody_is_let_in_by_itself(
    spool: Spool, stores: Stores, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTRUNS_PROVISION")
    monkeypatch.setenv("AGENTRUNS_ENVIRONMENT", "prod")
    written(spool, [a_task(agent_id)])

    assert Delivery(spool).drain(timeout=2).pending == 1

    assert not credentials_file(agent_id).exists()


def test_rows_are_written_by_the_login_of_the_agents_key(
    spool: Spool, stores: Stores, access: Provisioning, settings: Settings, agent_id: str
) -> None:
    task: AgentTask = a_task(agent_id)
    key_id = let_in(access, agent_id)
    session, stop = Session(spool), Event()
    thread = Thread(target=Delivery(spool).serve, args=[stop], kwargs={"forever": True})
    thread.start()
    try:
        session.append(records_of(task, 5))
        until(lambda: stored(stores, task) == everything(5))
        with psycopg.connect(os.environ["POSTGRES_URL"]) as connection:
            names = connection.execute(
                "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchall()
        assert (key_id,) in names
        session.close()
    finally:
        stop.set()
        thread.join(30)
