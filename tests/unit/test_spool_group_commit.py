"""Threads that share one commit, and what becomes of those that were served."""

import threading
import time
from collections.abc import Callable

import pytest

from agentruns.spool.errors import SpoolFull
from agentruns.spool.events import Row
from agentruns.spool.group_commit import GroupCommit
from agentruns.spool.lanes import Lane


def row(payload: str) -> Row:
    return Row(Lane.LOGS, "LogEntry", None, payload)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


class Disk:
    """Takes its time: each write waits until it is let through."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.gate = threading.Semaphore(0)

    def __call__(self, rows: list[Row]) -> None:
        self.writes.append([row.payload for row in rows])
        self.gate.acquire()
        if any(row.payload == "too large" for row in rows):
            raise SpoolFull("no room")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def commit(disk: Disk) -> GroupCommit:
    return GroupCommit(disk)


def begun(commit: GroupCommit, payload: str) -> threading.Thread:
    waiting = len(commit._calls)
    thread = threading.Thread(target=commit, args=([row(payload)],))
    thread.start()
    until(lambda: len(commit._calls) > waiting)
    return thread


def test_those_who_wait_share_the_next_commit(commit: GroupCommit, disk: Disk) -> None:
    threads = [begun(commit, name) for name in "abc"]
    until(lambda: disk.writes == [["a"]])

    disk.gate.release(2)
    for thread in threads:
        thread.join(10)

    assert disk.writes == [["a"], ["b", "c"]]


def test_who_was_served_goes_on_while_the_next_one_writes(commit: GroupCommit, disk: Disk) -> None:
    first, second, third = (begun(commit, name) for name in "abc")
    until(lambda: disk.writes == [["a"]])
    disk.gate.release()
    until(lambda: len(disk.writes) == 2)
    last = begun(commit, "d")
    disk.gate.release()
    until(lambda: disk.writes[2:] == [["d"]])

    for served in (first, second, third):
        served.join(10)
        assert not served.is_alive()
    assert last.is_alive()
    disk.gate.release()
    last.join(10)


def test_a_call_that_comes_while_others_are_held_off_is_written_afterwards(
    commit: GroupCommit, disk: Disk
) -> None:
    disk.gate.release()
    with commit.turn:
        thread = begun(commit, "a")
        time.sleep(0.02)
        assert disk.writes == []
    thread.join(10)
    assert disk.writes == [["a"]]


def test_one_that_is_refused_costs_the_others_nothing(commit: GroupCommit, disk: Disk) -> None:
    errors: list[SpoolFull] = []

    def refused() -> None:
        try:
            commit([row("too large")])
        except SpoolFull as error:
            errors.append(error)

    threads = [begun(commit, "a"), threading.Thread(target=refused)]
    until(lambda: disk.writes == [["a"]])
    threads[1].start()
    until(lambda: len(commit._calls) == 2)
    threads.append(begun(commit, "b"))
    disk.gate.release(4)
    for thread in threads:
        thread.join(10)

    assert disk.writes == [["a"], ["too large", "b"], ["too large"], ["b"]]
    assert len(errors) == 1
