"""What the threads of a delivery share."""

import time
from collections.abc import Callable, Iterator
from threading import Event

from agentruns.spool import Lane, Ledger, Segment, Spool
from storage.delivery.backlog import Backlog
from storage.delivery.holds import Holds
from storage.delivery.watermarks import Watermarks
from storage.errors import AccessDenied, NotLetInYet, SettingsError
from storage.settings import Settings

#: A person has to change something before trying again helps.
A_PERSONS_TURN = (SettingsError, AccessDenied)
#: These concern one agent, and the others can go on.
ONE_AGENTS = (*A_PERSONS_TURN, NotLetInYet)


class Stopping(Exception):  # noqa: N818 - no error: the delivery was told to end
    """The delivery stops: what was begun is given up, and stays in the spool."""


class DeliveryState:
    """The spool, how far it is delivered, and whether the delivery is to stop."""

    def __init__(
        self, spool: Spool, ledger: Ledger, settings_of: Callable[[str], Settings]
    ) -> None:
        self.spool = spool
        self.ledger = ledger
        self.settings_of = settings_of
        self.watermarks = Watermarks(ledger)
        self.backlogs = {lane: Backlog(spool, lane, self.watermarks) for lane in Lane}
        self.stopping = Event()
        self.holds = {lane: Holds(lane.capitalize(), self.stopping) for lane in Lane}
        self._stuck_since: dict[Lane, float] = {}
        self._refused_since: dict[Lane, float] = {}

    def stuck(self, lane: Lane) -> None:
        """Note that a lane cannot go on for now."""
        self._stuck_since.setdefault(lane, time.monotonic())

    def failed(self, lane: Lane, error: Exception) -> None:
        """Note that a lane cannot go on for now, and whether a person has to see to it."""
        self.stuck(lane)
        if isinstance(error, A_PERSONS_TURN):
            self._refused_since.setdefault(lane, time.monotonic())
        else:
            self._refused_since.pop(lane, None)

    def going(self, lane: Lane) -> None:
        """Note that a lane goes on."""
        self._stuck_since.pop(lane, None)
        self._refused_since.pop(lane, None)

    def stuck_seconds(self, lane: Lane) -> float:
        """For how long a lane could not go on; 0 when it goes."""
        return _seconds_since(self._stuck_since.get(lane))

    def refused_seconds(self, lane: Lane) -> float:
        """For how long a lane has failed for want of settings or rights only; else 0."""
        return _seconds_since(self._refused_since.get(lane))

    def waiting(self) -> Iterator[Lane]:
        """The lanes that have something to do."""
        yield from (lane for lane, backlog in self.backlogs.items() if backlog.size(1))
        if self.ledger.touched_agents():
            yield Lane.ROWS

    def has_delivered(self, segment: Segment) -> bool:
        """Whether nothing more comes into the segment and every lane has all of it."""
        return all(backlog.has_delivered(segment) for backlog in self.backlogs.values())

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Forget the segments that are gone."""
        self.watermarks.forget(gone)
        for backlog in self.backlogs.values():
            backlog.forget(gone)


def _seconds_since(then: float | None) -> float:
    return time.monotonic() - then if then is not None else 0.0
