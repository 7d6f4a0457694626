"""A limit on how many bytes go over a line each second, shared by all threads that use the line."""

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

#: Decimal, as networks are sold.
MEGABYTE = 1_000_000
LEAST_MB_PER_S, MOST_MB_PER_S = 0.01, 100_000.0
#: Runs at a time in one process are few; whoever comes back later gets a new one.
_MOST_SHARED = 16
_SHARED: dict[tuple[object, float], "Pace"] = {}
_LOCK = Lock()


class Pace:
    """Lets bytes pass at a steady rate, in the order in which threads ask."""

    def __init__(
        self,
        bytes_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._free_at = clock()

    def take(self, size: int) -> None:
        """Wait until the bytes that were taken before are through; these go next."""
        with self._lock:
            now = self._clock()
            # Whoever was idle has saved nothing up.
            begin = max(self._free_at, now)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._sleep(begin - now)

    def paced(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, no faster than this."""
        for piece in pieces:
            self.take(len(piece))
            yield piece


def shared_pace(whose: object, mb_per_s: float | None) -> Pace | None:
    """The pace of everything in this process that is done for the same; None is no limit."""
    if mb_per_s is None:
        return None
    with _LOCK:
        key = (whose, mb_per_s)
        if key not in _SHARED:
            while len(_SHARED) >= _MOST_SHARED:
                _SHARED.pop(next(iter(_SHARED)))
            _SHARED[key] = Pace(mb_per_s * MEGABYTE)
        return _SHARED[key]


def checked_mb_per_s(value: float) -> float:
    """Megabytes a second.

    Raises:
        ValueError: when nothing could pass, or nothing is limited.
    """
    # Also false for what is no number.
    if not LEAST_MB_PER_S <= value <= MOST_MB_PER_S:
        raise ValueError(
            f"a limit is {LEAST_MB_PER_S:g} to {MOST_MB_PER_S:g} megabytes a second; "
            "leave it out for none"
        )
    return value
