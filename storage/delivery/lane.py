"""One lane at work: gather a batch, store it, acknowledge it, and wait when that fails."""

import logging
import time
from functools import partial
from threading import Thread
from uuid import UUID

from agentruns.models import AnyRecord, LogEntry, Memory
from agentruns.spool import Event, Rejected
from storage.delivery.backlog import MOST_EVENTS, ends
from storage.delivery.backoff import Backoff, in_words
from storage.delivery.destination import Destination
from storage.delivery.groups import Group, grouped
from storage.delivery.poison import id_of, isolated, refused
from storage.delivery.result import LaneCounts, by_session
from storage.delivery.state import ONE_AGENTS, DeliveryState, Stopping
from storage.errors import AgentDeleted
from storage.rejection import Rejection

_LOGGER = logging.getLogger(__name__)

#: So long a batch waits for company while its recorder writes.
_COMPANY_SECONDS = 0.3
_LOOK_SECONDS = 0.05
#: Without work a lane looks less and less often, down to this.
_IDLE_SECONDS = 0.5
#: After so many failures in a row the addresses and passwords may have changed.
_FAILURES_PER_SETTINGS = 3


class LaneWorker(Thread):
    """Delivers one lane until the delivery stops."""

    def __init__(self, state: DeliveryState, destination: Destination) -> None:
        self.lane = destination.lane
        super().__init__(name=f"delivery-{self.lane}", daemon=True)
        self.counts = LaneCounts()
        self._state = state
        self._destination = destination
        self._backlog = state.backlogs[self.lane]
        self._backoff = Backoff(self.lane.capitalize(), state.stopping)
        self._groups: list[Group] = []
        self._holds = state.holds[self.lane]
        self._pause = _LOOK_SECONDS

    def run(self) -> None:
        """Work until the delivery stops."""
        while not self._state.stopping.is_set():
            try:
                self._step()
            except Stopping:
                break
            except Exception as error:
                # Whatever it is: a lane that ended here would keep its events for ever.
                self._back_off(error)
            else:
                self._backoff.over()
        self._end()

    def _step(self) -> None:
        """Deliver one batch, or wait for one."""
        self._groups = self._groups or grouped(self._gathered())
        if self._groups:
            self._pause = _LOOK_SECONDS
        while self._groups:
            self._deliver(self._groups[0])
            self._groups.pop(0)
        self._destination.between_batches()
        if not self._backlog.size(1, self._holds.segments()):
            self._note_idleness()
            self._state.stopping.wait(self._pause)
            self._pause = min(self._pause * 1.5, _IDLE_SECONDS)

    def _gathered(self) -> list[Event]:
        held, until = self._holds.segments(), time.monotonic() + _COMPANY_SECONDS
        size = self._backlog.size(MOST_EVENTS, held)
        while 0 < size < MOST_EVENTS and time.monotonic() < until and self._backlog.may_grow():
            self._state.stopping.wait(_LOOK_SECONDS)
            before, size = size, self._backlog.size(MOST_EVENTS, held)
            if size == before or self._state.stopping.is_set():
                break
        return self._backlog.read(held) if size else []

    def _deliver(self, group: Group) -> None:
        if self._holds.holds(group):
            return
        try:
            rejections = self._stored(group)
        except ONE_AGENTS as error:
            self._hold(group, error)
            return
        self._holds.release(group)
        self._acknowledge(group.events, {each.id: each.reason for each in rejections})
        self._state.going(self.lane)

    def _stored(self, group: Group) -> list[Rejection]:
        rejections: list[Rejection] = []
        for agent_id in sorted(group.agents):
            store, records = partial(self._destination.store, agent_id), group.records_of(agent_id)
            try:
                rejections += isolated(store, records)
            except AgentDeleted as error:
                rejections += [_refused(record, error) for record in records]
        return rejections

    def _hold(self, group: Group, error: Exception) -> None:
        """Let the others go on; the next try takes the settings that count by then."""
        self._state.failed(self.lane, error)
        self._holds.hold(group, error)
        for agent_id in group.agents:
            self._destination.forget(agent_id)

    def _note_idleness(self) -> None:
        if not self._holds:
            self._state.going(self.lane)

    def _acknowledge(self, batch: list[Event], reasons: dict[UUID, str]) -> None:
        delivered, rejected = self._sorted(batch, reasons)
        self._state.ledger.acknowledge(
            self.lane, ends(batch), by_session(delivered), rejected, _touched(delivered)
        )
        self._state.watermarks.raise_to(self.lane, ends(batch))
        self.counts.add(delivered, len(rejected))
        if rejected:
            _LOGGER.warning(
                "%d of %d %s are rejected, the first because: %s",
                len(rejected), len(batch), self.lane, rejected[0].reason,
            )  # fmt: skip

    def _sorted(
        self, batch: list[Event], reasons: dict[UUID, str]
    ) -> tuple[list[Event], list[Rejected]]:
        delivered, rejected = [], []
        for event in batch:
            record = event.record
            reason = event.damage if record is None else reasons.get(id_of(record))
            if reason is None:
                delivered.append(event)
            else:
                rejected.append(refused(event, self.lane, reason, self._state.spool.folder))
        return delivered, rejected

    def _back_off(self, error: Exception) -> None:
        self._state.failed(self.lane, error)
        self._backoff.wait(error)
        if self._backoff.failures % _FAILURES_PER_SETTINGS == 0:
            self._destination.close()

    def _end(self) -> None:
        try:
            if not self._backoff.failures:
                self._destination.before_stop()
            self._destination.close()
        except Exception as error:
            _LOGGER.warning("%s could not finish well: %s", self.lane.capitalize(), in_words(error))


def _refused(record: AnyRecord, error: AgentDeleted) -> Rejection:
    return Rejection(type(record).__name__, id_of(record), str(error))


def _touched(events: list[Event]) -> set[tuple[str, UUID]]:
    """Agents and tasks of which something was stored where PostgreSQL does not see it."""
    said = (event.record for event in events if isinstance(event.record, LogEntry | Memory))
    return {(record.agent_id, record.task_id) for record in said if record.task_id is not None}
