"""A spool of the test's own, whose deliveries end with the test."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentruns.spool import Spool
from storage.settings import Settings


@pytest.fixture
def own_spool(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Spool]:
    """The spool that recorders find here and in child processes."""
    spool = Spool(tmp_path / "spool")
    monkeypatch.setenv("AGENTRUNS_SPOOL", str(spool.folder))
    yield spool
    if not wait_until(lambda: not spool.delivering(), 5):
        for pid in deliveries(spool.folder):
            os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda: not spool.delivering(), 20)


def deliveries(folder: Path) -> list[int]:
    """The processes that deliver what is in the folder."""
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdecimal() and os.fsencode(folder) in words_of_delivery(process)
    ]


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not (true := bool(condition())) and time.monotonic() < end:
        time.sleep(0.05)
    return true


def words_of_delivery(process: Path) -> list[bytes]:
    """With which words a process (`/proc/N`) was started, if it is a delivery; else none."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return words if b"storage.delivery" in words else []
