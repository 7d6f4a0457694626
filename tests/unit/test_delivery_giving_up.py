"""A delivery that needs a person, and makes room for one that does not."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest

from agentruns.spool import Session, Spool
from storage.delivery import Delivery, DeliveryResult, supervisor
from tests.unit.spools import a_log, a_task


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Two events of a recorder that lives, where nothing is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "_REFUSED_SECONDS", 1.0)
    spool = Spool(tmp_path / "spool")
    with closing(Session(spool)) as session:
        task = a_task()
        session.append([task, a_log(task)])
        yield spool


def served(spool: Spool, seconds: float, *, forever: bool = False) -> DeliveryResult:
    stop = Event()
    timer = Timer(seconds, stop.set)
    timer.start()
    try:
        return Delivery(spool).serve(stop, forever=forever)
    finally:
        timer.cancel()


def test_a_delivery_without_settings_makes_room_for_another_while_its_recorder_lives(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    drained = served(spool, 20)
    assert (drained.gave_up, drained.pending) == (True, 2)
    assert not spool.delivering()
    assert caplog.text.count("makes room for another one") == 1


def test_a_delivery_that_is_a_service_waits_for_its_settings(spool: Spool) -> None:
    assert not served(spool, 3, forever=True).gave_up


def test_a_delivery_stays_where_one_store_is_only_away(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_URL", "postgresql://nobody:none@127.0.0.1:1/none")
    assert not served(spool, 3).gave_up
