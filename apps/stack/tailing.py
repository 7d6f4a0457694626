"""The end of a log, and what comes after it."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


def last_lines(log: Path, count: int) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=count)).rstrip("\n")
    except FileNotFoundError:
        return ""


def following_lines(log: Path) -> Iterator[str]:
    """Every line that is written from now on, across rotations; never ends by itself."""
    begin = os.SEEK_END
    while True:
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(0, begin)
            yield from _until_rotated(log, file)
        # All of the next file is new.
        begin = os.SEEK_SET


def _until_rotated(log: Path, file: TextIO) -> Iterator[str]:
    while not _rotated(log, file.fileno()):
        if line := file.readline():
            yield line.rstrip("\n")
        else:
            time.sleep(0.2)
    yield from (line.rstrip("\n") for line in file)


def _rotated(log: Path, handle: int) -> bool:
    try:
        return log.stat().st_ino != os.fstat(handle).st_ino
    except FileNotFoundError:
        return False
