"""A health check answers in any case."""

import threading
import time

from storage.errors import StoreUnavailable
from storage.health import timed_health


def test_what_the_probe_says_is_the_detail() -> None:
    health = timed_health("store", lambda: "version 1")
    assert (health.name, health.healthy, health.detail) == ("store", True, "version 1")


def test_our_own_error_is_told_in_its_own_words() -> None:
    def probe() -> str:
        raise StoreUnavailable("It is away; start it.")

    health = timed_health("store", probe)
    assert (health.healthy, health.detail) == (False, "It is away; start it.")


def test_a_foreign_error_is_told_by_its_kind_only() -> None:
    def probe() -> str:
        raise RuntimeError("password=geheim")

    health = timed_health("store", probe)
    assert not health.healthy
    assert "RuntimeError" in health.detail
    assert "geheim" not in health.detail


def test_a_probe_that_hangs_is_given_up() -> None:
    for_ever = threading.Event()
    start = time.monotonic()

    health = timed_health("store", lambda: str(for_ever.wait(5)), seconds=0.2)

    assert time.monotonic() - start < 1
    assert not health.healthy
    assert "did not answer within 0.2 s" in health.detail
    for_ever.set()
