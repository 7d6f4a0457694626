"""Bytes pass no faster than was said, however many threads send them."""

from concurrent.futures import ThreadPoolExecutor
from math import inf, nan

import pytest

from storage.pace import MEGABYTE, Pace, checked_mb_per_s, shared_pace


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_bytes_pass_at_the_rate_that_was_said():
    clock = Clock()
    pace = Pace(1000, clock, clock.sleep)
    for _ in range(11):
        pace.take(500)
    assert clock.now == pytest.approx(105)


def test_the_first_bytes_wait_for_nothing():
    clock = Clock()
    Pace(1000, clock, clock.sleep).take(10**9)
    assert clock.now == 100


def test_whoever_was_idle_has_saved_nothing_up():
    clock = Clock()
    pace = Pace(1000, clock, clock.sleep)
    clock.now += 3600
    for _ in range(3):
        pace.take(1000)
    assert clock.now == pytest.approx(3702)


def test_threads_share_one_rate():
    slept = []
    pace = Pace(1000, lambda: 0.0, slept.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pace.take, [100] * 50))
    assert sorted(slept) == pytest.approx([n / 10 for n in range(1, 50)])


def test_pieces_pass_unchanged():
    clock = Clock()
    pieces = [b"abc", b"", b"de"]
    assert list(Pace(1, clock, clock.sleep).paced(pieces)) == pieces
    assert clock.now == pytest.approx(103)


def test_all_that_is_done_for_the_same_shares_a_pace():
    assert shared_pace("a", 5) is shared_pace("a", 5)
    assert shared_pace("a", 5) is not shared_pace("b", 5)
    assert shared_pace("a", None) is None


def test_paces_of_the_past_are_forgotten():
    first = shared_pace("first", 1)
    for number in range(100):
        shared_pace(number, 1)
    assert shared_pace("first", 1) is not first


@pytest.mark.parametrize("wrong", [0, -1, nan, inf, 1e9])
def test_what_is_no_limit_is_refused(wrong):
    with pytest.raises(ValueError, match="megabytes a second"):
        checked_mb_per_s(wrong)


def test_a_megabyte_is_a_million_bytes():
    assert checked_mb_per_s(0.5) * MEGABYTE == 500_000
