"""How far each lane has come; where one lane waits for another."""

from collections.abc import Callable, Mapping
from threading import Condition

from agentruns.spool import Lane, Ledger


class Watermarks:
    """The acknowledged position of each lane in each segment, for all threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[tuple[str, Lane], int] = {}
        self._changed = Condition()

    def of(self, segment: str, lane: Lane) -> int:
        """The last event of the segment that needs nothing more."""
        with self._changed:
            if (segment, lane) not in self._known:
                self._known[segment, lane] = self._ledger.position(segment, lane)
            return self._known[segment, lane]

    def raise_to(self, lane: Lane, upto: Mapping[str, int]) -> None:
        """Tell everybody who waits that a lane has come so far."""
        with self._changed:
            self._known.update({(segment, lane): last for segment, last in upto.items()})
            self._changed.notify_all()

    def wait_for(self, lane: Lane, marks: Mapping[str, int], seconds: float) -> bool:
        """Whether a lane has come as far as these positions, waiting for it at most so long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._reached(lane, marks), seconds)

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Forget the segments that are gone, as all in them was acknowledged."""
        with self._changed:
            self._known = {key: last for key, last in self._known.items() if not gone(key[0])}
            self._changed.notify_all()

    def _reached(self, lane: Lane, marks: Mapping[str, int]) -> bool:
        # A mark's segment was known when the mark was set, so if it isn't any more, it is gone.
        return all(
            self._known.get((segment, lane), last) >= last for segment, last in marks.items()
        )
