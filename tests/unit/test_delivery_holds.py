"""Agents that are refused wait, and hold up no other."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from agentruns.models import AgentTask, ProgressUpdate
from agentruns.spool import Event as Spooled
from agentruns.spool import Lane, Session, Spool
from storage.access import agent_settings
from storage.access.agent_settings import settings_of
from storage.delivery import Delivery, adapters, supervisor
from storage.delivery.adapters import AgentAdapters
from storage.delivery.backlog import Backlog
from storage.delivery.files import FilesDestination
from storage.delivery.groups import Group, grouped
from storage.delivery.holds import Holds
from storage.delivery.rows import RowsDestination
from storage.delivery.state import DeliveryState
from storage.errors import AccessDenied, NotLetInYet, StoreUnavailable
from storage.rejection import Rejection
from storage.settings import Settings, settings_from
from tests.unit.spools import a_log, a_task

DENIED = AccessDenied("b was not let in yet")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[DeliveryState]:
    """A spool in which a task of `a` and one of `b` wait, each in a session of its own."""
    spool = Spool(tmp_path / "spool").prepare()
    for agent_id in "ab":
        written(spool, agent_id)
    with spool.ledger() as ledger:
        yield DeliveryState(spool, ledger, lambda _: settings_from({}))


def written(spool: Spool, agent_id: str) -> None:
    with closing(Session(spool)) as session:
        session.append([a_task(agent_id=agent_id)])


def group_of(backlog: Backlog, agent_id: str) -> Group:
    (found,) = [each for each in grouped(backlog.read()) if each.agents == {agent_id}]
    return found


def waiting(state: DeliveryState, pool: ThreadPoolExecutor) -> "Future[None]":
    """A file of `a` that waits for rows."""
    return pool.submit(FilesDestination(state)._wait_for_rows, "a")


def test_a_file_does_not_wait_for_rows_that_are_refused_meanwhile(state: DeliveryState) -> None:
    rows, holds = state.backlogs[Lane.ROWS], state.holds[Lane.ROWS]
    own, others = group_of(rows, "a"), group_of(rows, "b")
    with ThreadPoolExecutor(1) as pool:
        waits = waiting(state, pool)
        try:
            time.sleep(0.3)
            state.watermarks.raise_to(Lane.ROWS, {own.events[0].segment: 1})
            assert not waits.done()
            holds.hold(others, DENIED)

            waits.result(5)
        finally:
            state.stopping.set()


def test_a_file_whose_own_rows_are_refused_makes_room_for_others(state: DeliveryState) -> None:
    state.holds[Lane.ROWS].hold(group_of(state.backlogs[Lane.ROWS], "a"), DENIED)
    with ThreadPoolExecutor(1) as pool:
        waits = waiting(state, pool)
        try:
            with pytest.raises(AccessDenied, match="not let in"):
                waits.result(5)
        finally:
            state.stopping.set()


def test_a_hold_ends_with_the_last_of_its_segments() -> None:
    """Also when another agent has written into it since, so that it belongs to both."""
    holds, task = Holds("Rows", Event()), a_task()
    first = Group(frozenset("a"), [Spooled("session/0", 1, 1, "AgentTask", "{}", task)])
    holds.hold(first, DENIED)

    holds.release(Group(frozenset("ab"), first.events))

    assert not holds
    assert holds.error_of("a") is None


class _Rows(RowsDestination):
    """PostgreSQL that refuses the agent `b`."""

    def store(
        self, agent_id: str, records: Sequence[AgentTask | ProgressUpdate]
    ) -> list[Rejection]:
        if agent_id == "b":
            raise DENIED
        told = self._state.ledger.touched_tasks(agent_id)
        self._state.ledger.forget_touched(agent_id, told.upto)
        return []


def test_news_of_a_refused_agent_wait_and_are_told_as_refused(state: DeliveryState) -> None:
    """Else a delivery that has nothing but these would neither end nor give up."""
    news = [(agent_id, a_task().id) for agent_id in "ab"]
    state.ledger.acknowledge(Lane.LOGS, {}, {}, touched=news)

    _Rows(state).before_stop()

    assert state.ledger.touched_agents() == ["b"]
    assert state.refused_seconds(Lane.ROWS) > 0
    assert state.holds[Lane.ROWS].error_of("b") is DENIED


class _Adapter:
    def __init__(self, settings: Settings) -> None:
        self.agent = settings.agent_id
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def test_a_new_key_is_taken_while_the_old_one_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "_LOOK_SECONDS", 0.0)
    key = {"AGENT_ID": "old"}
    known = AgentAdapters(_Adapter, lambda _: settings_from(key))
    first = known.of("a")
    assert known.of("a") is first

    key["AGENT_ID"] = "new"

    assert known.of("a").agent == "new"
    assert not first.is_open


def test_an_adapter_stays_where_its_settings_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapters, "_LOOK_SECONDS", 0.0)
    told = iter([settings_from({})])

    def once(_: str) -> Settings:
        for settings in told:
            return settings
        raise DENIED

    known = AgentAdapters(_Adapter, once)
    assert known.of("a") is known.of("a")


def test_a_drain_ends_although_a_refused_agent_stands_beside_one_that_writes_on(
    state: DeliveryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_STUCK_SECONDS", 0.5)
    own = supervisor.Supervisor(state.spool, state.ledger, state.settings_of)
    own._state.holds[Lane.ROWS].hold(group_of(state.backlogs[Lane.ROWS], "b"), DENIED)
    marks = {lane: own._state.backlogs[lane].marks() for lane in Lane}
    (first, _) = marks[Lane.ROWS]
    own._state.watermarks.raise_to(Lane.ROWS, {first: 1})
    own._state.going(Lane.ROWS)
    assert not own._has_reached(marks, hopeless=True)
    time.sleep(0.6)
    own._state.going(Lane.ROWS)  # the other one's records
    assert own._has_reached(marks, hopeless=True)
    assert not own._has_reached(marks, hopeless=False)


class _Away:
    def __init__(self, _: Settings) -> None:
        pass

    def __enter__(self) -> "_Away":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, agent_id: str, **_: object) -> None:
        raise StoreUnavailable("MinIO is not available")


def test_who_cannot_be_let_in_yet_does_not_hold_up_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a new agent needs all stores, and the others each lane's own only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path))
    monkeypatch.setenv("POSTGRES_URL", "postgresql://operator:none@127.0.0.1:1/none")
    monkeypatch.setattr(agent_settings, "Provisioning", _Away)
    with pytest.raises(NotLetInYet, match="new could not be let in yet: MinIO"):
        settings_of("new")
    seen: list[str] = []

    spool = Spool(tmp_path / "spool")
    for agent_id in ("new", "known"):
        with closing(Session(spool)) as session:
            task = a_task(agent_id=agent_id)
            session.append(
                [task.model_copy(), a_log(task).model_copy(update={"agent_id": agent_id})]
            )

    def stored(_: object, agent_id: str, records: Sequence[object]) -> list[Rejection]:
        if agent_id == "new":
            settings_of(agent_id)
        seen.append(agent_id)
        return []

    monkeypatch.setattr("storage.delivery.logs.LogsDestination.store", stored)
    monkeypatch.setattr("storage.delivery.rows.RowsDestination.store", stored)
    Delivery(spool).drain(2)
    assert set(seen) == {"known"}
