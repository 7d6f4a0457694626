"""Asking a store how it is, with an answer in any case and soon."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

from agentruns.models import Health
from storage.errors import StorageError

#: Inside the two seconds in which a health check has to answer.
SECONDS = 1.8


def timed_health(name: str, probe: Callable[[], str], seconds: float = SECONDS) -> Health:
    """What the probe says of a store; never raises, and answers after `seconds` at the latest."""
    answers: SimpleQueue[tuple[bool, str]] = SimpleQueue()
    start = time.monotonic()
    # A daemon: a probe that hangs in a dead connection may not keep the process alive.
    Thread(target=lambda: answers.put(_asked(probe)), name=f"health-{name}", daemon=True).start()
    try:
        healthy, detail = answers.get(timeout=seconds)
    except Empty:
        healthy, detail = False, _silent(name, seconds)
    latency = (time.monotonic() - start) * 1000
    return Health(name=name, healthy=healthy, latency_ms=round(latency, 1), detail=detail)


def _asked(probe: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, probe()
    except StorageError as error:
        return False, str(error)
    except Exception as error:
        # Foreign messages may carry an address with its password, so only the kind is told.
        return False, f"The probe failed with {type(error).__name__}; look at the server's log."


def _silent(name: str, seconds: float) -> str:
    return (
        f"{name} did not answer within {seconds:g} s; "
        "see whether its server is frozen, overloaded or behind a dead link."
    )
