"""The sink between a recorder and its stores; the stores are small real functions here."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from agentruns.models import AnyRecord, LogEntry, new_id
from agentruns.recording import sink as sink_module
from agentruns.recording.sink import Sink

Away = ConnectionError


@dataclass
class Refused:
    kind: str
    id: object
    reason: str


@dataclass
class Receipt:
    logs: int = 0
    tasks: int = 0
    progress: int = 0
    memories: int = 0
    files: int = 0
    rejected: Sequence[Refused] = ()


@dataclass
class Store:
    """Keeps what it is given, is away on request, and refuses what says 'bad'."""

    kept: list[AnyRecord] = field(default_factory=list)
    batches: int = 0
    away: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def write(self, records: Sequence[AnyRecord]) -> Receipt:
        self.batches += 1
        if self.away.is_set():
            raise Away
        if self.error:
            raise self.error
        bad = [one for one in records if isinstance(one, LogEntry) and one.message == "bad"]
        good = [one for one in records if one not in bad]
        self.kept += good
        return Receipt(len(good), rejected=[Refused("LogEntry", one.id, "no") for one in bad])


def entry(message: str = "hello") -> LogEntry:
    return LogEntry(agent_id="browser-1", task_id=new_id(), message=message)


def wait_until(condition: Callable[[], object]) -> None:
    """Return as soon as it holds; the test's own timeout ends a wait in vain."""
    while not condition():
        time.sleep(0.01)


def test_everything_is_delivered_in_order_and_in_few_batches() -> None:
    store = Store()
    sink = Sink(store.write, Away)
    entries = [entry(str(number)) for number in range(5000)]
    sink.put(entries)
    delivery = sink.close(10)
    assert store.kept == entries
    assert delivery.delivered["logs"] == 5000
    assert delivery.pending == 0
    assert store.batches <= 20


def test_records_arrive_while_the_run_goes_on() -> None:
    store = Store()
    sink = Sink(store.write, Away)
    sink.put([entry()])
    wait_until(lambda: len(store.kept) == 1)
    sink.close(1)


def test_a_store_that_comes_back_gets_everything() -> None:
    store = Store()
    store.away.set()
    sink = Sink(store.write, Away)
    sink.put([entry() for _ in range(10)])
    threading.Timer(0.3, store.away.clear).start()
    delivery = sink.close(10)
    assert (delivery.delivered["logs"], delivery.pending) == (10, 0)


def test_what_reaches_no_store_in_time_is_counted_as_pending() -> None:
    store = Store()
    store.away.set()
    sink = Sink(store.write, Away)
    sink.put([entry() for _ in range(10)])
    start = time.monotonic()
    assert sink.close(0.5).pending == 10
    assert time.monotonic() - start < 2


def test_refused_records_are_told_with_their_reason() -> None:
    store = Store()
    sink = Sink(store.write, Away)
    bad = entry("bad")
    sink.put([entry(), bad, entry()])
    delivery = sink.close(5)
    assert delivery.rejected == (f"LogEntry {bad.id}: no",)
    assert delivery.delivered["logs"] == 2


def test_a_lasting_error_ends_the_delivery_and_is_told() -> None:
    store = Store(error=PermissionError("no right"))
    sink = Sink(store.write, Away)
    sink.put([entry(), entry()])
    wait_until(lambda: store.batches)
    sink.put([entry()])
    delivery = sink.close(5)
    assert delivery.failure is store.error
    assert delivery.pending == 3


def test_while_a_store_is_away_memory_is_bounded_and_put_waits_at_the_bound() -> None:
    store = Store()
    store.away.set()
    sink = Sink(store.write, Away, limit_bytes=100_000)
    done = threading.Event()

    def fill() -> None:
        sink.put(entry("x" * 10_000) for _ in range(30))
        done.set()

    threading.Thread(target=fill, daemon=True).start()
    assert not done.wait(0.5)
    store.away.clear()
    assert done.wait(5)
    assert sink.close(5).delivered["logs"] == 30


def test_one_record_larger_than_the_bound_still_passes() -> None:
    store = Store()
    sink = Sink(store.write, Away, limit_bytes=10)
    sink.put([entry("x" * 1000), entry("y" * 1000)])
    assert sink.close(5).delivered["logs"] == 2


@pytest.mark.parametrize("count", [1, 3000])
def test_closing_waits_for_no_company(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "GATHER_SECONDS", 60)
    sink = Sink(Store().write, Away)
    sink.put([entry() for _ in range(count)])
    assert sink.close(5).delivered["logs"] == count
