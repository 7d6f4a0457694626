"""The events of one lane that wait in a spool."""

import logging
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from agentruns.spool import Event, Lane, Segment, SessionFolder, Spool, SpoolError
from storage.delivery.watermarks import Watermarks

_LOGGER = logging.getLogger(__name__)

#: The sweet spot of both databases, measured.
MOST_EVENTS = 1000
#: What a batch takes in memory is several times its bytes; objects stay on the disk.
MOST_BYTES = {Lane.LOGS: 3 * 2**20, Lane.ROWS: 3 * 2**20, Lane.FILES: 8 * 2**20}
#: Where more sessions than these lie, none keeps its files open between two looks.
MOST_OPEN = 100


class Waiting(NamedTuple):
    """A segment with events that are not acknowledged."""

    segment: Segment
    after: int
    last: int


class Backlog:
    """What one lane still has to deliver, oldest session first."""

    def __init__(self, spool: Spool, lane: Lane, watermarks: Watermarks) -> None:
        self._spool = spool
        self._lane = lane
        self._watermarks = watermarks
        #: Where the segments end into which nothing more is written.
        self._ends: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._is_crowded = False

    def waiting(self, held: Container[str] = ()) -> Iterator[Waiting]:
        """The segments in which something waits; one that cannot be read holds up no other."""
        sessions = self._spool.sessions()
        self._is_crowded = len(sessions) > MOST_OPEN
        for session in sessions:
            for segment in session.segments():
                if segment.name in held:
                    continue
                try:
                    last = self._last(session, segment)
                except SpoolError as error:
                    self._tell(segment, error)
                    continue
                after = self._watermarks.of(segment.name, self._lane)
                if last > after:
                    yield Waiting(segment, after, last)

    def marks(self, held: Container[str] = ()) -> dict[str, int]:
        """Where each segment ends now, of those in which something waits, but for held ones."""
        return {segment.name: last for segment, _, last in self.waiting(held)}

    def size(self, enough: float = float("inf"), held: Container[str] = ()) -> int:
        """How many events wait, but for held segments; counting ends at `enough`."""
        size = 0
        for waiting in self.waiting(held):
            size += waiting.last - waiting.after
            if size >= enough:
                break
        return size

    def may_grow(self) -> bool:
        """Whether there is a recorder that may write more."""
        return any(session.alive() for session in self._spool.sessions())

    def read(self, held: Container[str] = ()) -> list[Event]:
        """The next batch, as much as is there and fits into memory well; of held segments none."""
        events: list[Event] = []
        size, most = 0, MOST_BYTES[self._lane]
        for segment, after, _ in self.waiting(held):
            room = MOST_EVENTS - len(events)
            found = segment.read(self._lane, after, room, most - size)
            self._close(segment)
            events += found
            size += sum(event.size for event in found)
            if len(events) >= MOST_EVENTS or size >= most:
                break
        return events

    def has_delivered(self, segment: Segment) -> bool:
        """Whether nothing more comes into the segment and all of it is acknowledged."""
        end = self._ends.get(segment.name)
        return end is not None and self._watermarks.of(segment.name, self._lane) >= end

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Forget the segments that are gone."""
        for name in tuple(self._ends):  # a lane may learn of another one meanwhile
            if gone(name):
                del self._ends[name]

    def _last(self, session: SessionFolder, segment: Segment) -> int:
        if segment.name in self._ends:
            return self._ends[segment.name]
        # Asked first: what is written until then is seen.
        is_final = session.over() or segment.sealed()
        last = segment.last(self._lane)
        if is_final:
            self._ends[segment.name] = last
        self._close(segment)
        return last

    def _tell(self, segment: Segment, error: SpoolError) -> None:
        if segment.name not in self._unreadable:
            self._unreadable.add(segment.name)
            _LOGGER.warning("The %s of %s stay there: %s", self._lane, segment.name, error)

    def _close(self, segment: Segment) -> None:
        # Thousands of sessions may wait, and a process has a bounded number of open files.
        if self._is_crowded or segment.name in self._ends:
            segment.close()


def ends(events: list[Event]) -> dict[str, int]:
    """The last position of each segment in a batch."""
    # Later ones replace earlier ones: within a segment the events are in order.
    return {event.segment: event.position for event in events}
