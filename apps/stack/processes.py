"""The processes of one home, whoever their parent is."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import psutil  # type: ignore[import-untyped]  # it ships no types

Process: TypeAlias = psutil.Process
NoSuchProcess = psutil.NoSuchProcess

#: Every process that supervisor starts carries this name in its environment.
MARK = "AGENTRUNS_STACK"
#: How long a server may take to put its data in order.
PATIENCE_SECONDS = 20


def find_processes(home: Path, postgres_data: Path) -> list[Process]:
    """Living processes that belong to the servers of this home."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in ours
        and _lives(process)
        and _belongs(process, str(home), str(postgres_data))
    ]


def end_processes(processes: Sequence[Process]) -> list[int]:
    """Ask, then force processes to end; gives those that are left."""
    for process in processes:
        # PostgreSQL takes the polite signal as: wait until every client has left.
        polite = signal.SIGINT if _told(process.name) == "postgres" else signal.SIGTERM
        _send(process, polite)
    stubborn = wait_for_end(processes, PATIENCE_SECONDS)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    return [process.pid for process in wait_for_end(stubborn, seconds=5)]


def wait_for_end(processes: Sequence[Process], seconds: float) -> list[Process]:
    """The processes that still live when all have ended or the time is over."""
    deadline = time.monotonic() + seconds
    while (left := [each for each in processes if _lives(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def is_postgres_of(process: Process, data: str) -> bool:
    """Whether this is a PostgreSQL that works on this data.

    Its children overwrite their environment and command line with their title. Where they work
    is a secret, even to root, in a container without the right to trace.
    """
    return _told(process.name) == "postgres" and (
        data in (_told(process.cmdline) or []) or _told(process.cwd) == data
    )


def _belongs(process: Process, home: str, postgres_data: str) -> bool:
    environment = _told(process.environ) or {}
    return environment.get(MARK) == home or is_postgres_of(process, postgres_data)


def _told(question: Callable[[], Any]) -> Any:
    """What the system tells of a process; None when it may not, or when the process has gone."""
    try:
        return question()
    except (psutil.Error, OSError):
        return None


def _lives(process: Process) -> bool:
    try:
        # In a container, nobody may be there to bury the dead.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _send(process: Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
