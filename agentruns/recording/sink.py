"""The way of records to the stores: one writer thread, batches, patience."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from agentruns.models import AnyRecord, Upload

BATCH_RECORDS = 1_000
BATCH_BYTES = 8 * 1024 * 1024
#: How long the first record of a batch waits for company.
GATHER_SECONDS = 0.3
#: What may wait in memory while a store is away.
LIMIT_BYTES = 64 * 1024 * 1024
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
KINDS = ("tasks", "progress", "logs", "memories", "files")


class Refusal(Protocol):
    """A record that a store will never take."""

    @property
    def kind(self) -> str:
        """The record's kind."""

    @property
    def id(self) -> UUID:
        """The record's id."""

    @property
    def reason(self) -> str:
        """Why it was refused, for people."""


class Receipt(Protocol):
    """What a write says: how many of each kind in `KINDS` are stored, and what was refused."""

    @property
    def rejected(self) -> Sequence[Refusal]:
        """The records that were refused for good."""


Write = Callable[[Sequence[AnyRecord]], Receipt]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the records that were handed to a sink."""

    delivered: dict[str, int]
    """Stored records by kind."""
    pending: int = 0
    """Records that reached no store in time; they are lost when this process ends."""
    rejected: tuple[str, ...] = ()
    """One sentence for each record that a store refused for good."""
    failure: Exception | None = None
    """What stopped the delivery for good, such as a missing right."""


class Sink:
    """Takes records at once and writes them in batches from a thread of its own.

    While a store is away it tries again, ever more slowly, and keeps up to 64 MB in memory; only
    when these are full does `put` wait. Memory does not outlive the process: a recorder that is
    killed while a store is away loses what is pending (a spool on disk is not part of this).
    """

    def __init__(self, write: Write, away: type[Exception], limit_bytes: int = LIMIT_BYTES) -> None:
        """Deliver with `write`, and try again when it raises `away`."""
        self._write = write
        self._away = away
        self._limit = limit_bytes
        self._waiting: deque[tuple[AnyRecord, int]] = deque()
        self._bytes = 0
        self._in_flight = 0
        self._counts: Counter[str] = Counter()
        self._rejected: list[str] = []
        self._failure: Exception | None = None
        self._lost = 0
        self._closing = False
        self._given_up = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._deliver, name="record-sink", daemon=True)
        self._thread.start()

    def put(self, records: Iterable[AnyRecord]) -> None:
        """Take the records; waits only when the memory for waiting records is full."""
        for record in records:
            self._put(record, _weight(record))

    def close(self, timeout: float) -> Delivery:
        """Deliver what is waiting, for at most `timeout` seconds, and tell what became of it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
            return self._result()

    def _put(self, record: AnyRecord, weight: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._fits(weight) or self._failure)
            if self._failure:
                self._lost += 1
                return
            self._waiting.append((record, weight))
            self._bytes += weight
            self._changed.notify_all()

    def _fits(self, weight: int) -> bool:
        return not self._bytes or self._bytes + weight <= self._limit

    def _result(self) -> Delivery:
        pending = len(self._waiting) + self._in_flight + self._lost
        delivered = {kind: self._counts[kind] for kind in KINDS}
        return Delivery(delivered, pending, tuple(self._rejected), self._failure)

    def _deliver(self) -> None:
        while batch := self._next_batch():
            try:
                receipt = self._patiently(batch)
            except Exception as error:
                self._stop_for(error)
                return
            if receipt is None:
                return
            self._account(batch, receipt)

    def _next_batch(self) -> list[tuple[AnyRecord, int]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(self._batch_is_due, timeout=GATHER_SECONDS)
            batch: list[tuple[AnyRecord, int]] = []
            weight = 0
            while self._waiting and len(batch) < BATCH_RECORDS and weight < BATCH_BYTES:
                batch.append(self._waiting.popleft())
                weight += batch[-1][1]
            self._in_flight = len(batch)
            return batch

    def _batch_is_due(self) -> bool:
        return self._closing or len(self._waiting) >= BATCH_RECORDS or self._bytes >= BATCH_BYTES

    def _patiently(self, batch: list[tuple[AnyRecord, int]]) -> Receipt | None:
        pause = FIRST_PAUSE_SECONDS
        records = [record for record, _ in batch]
        while not self._given_up:
            try:
                return self._write(records)
            except self._away:
                self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return None

    def _rest(self, pause: float) -> None:
        # Jitter keeps many recorders from knocking at the same moment.
        until = time.monotonic() + pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        with self._changed:
            self._changed.wait_for(lambda: self._given_up, timeout=until - time.monotonic())

    def _account(self, batch: list[tuple[AnyRecord, int]], receipt: Receipt) -> None:
        with self._changed:
            self._in_flight = 0
            self._bytes -= sum(weight for _, weight in batch)
            self._counts.update({kind: getattr(receipt, kind) for kind in KINDS})
            self._rejected += [f"{one.kind} {one.id}: {one.reason}" for one in receipt.rejected]
            self._changed.notify_all()

    def _stop_for(self, error: Exception) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()


def _weight(record: AnyRecord) -> int:
    """About how many bytes of memory the record holds."""
    if not isinstance(record, Upload):
        return len(record.model_dump_json())
    return 1_000 + (len(record.content) if isinstance(record.content, bytes) else 0)
