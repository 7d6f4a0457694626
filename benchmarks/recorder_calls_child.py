"""One agent that records; prints what it waited for as a line of JSON."""

import json
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from agentruns import Recorder, Run
from agentruns.models import new_id, utcnow
from benchmarks.material import DATA, MESSAGE, picture
from benchmarks.measure import percentile

INSERT = """
    INSERT INTO task_progress
        (id, task_id, agent_id, step, progress_percent, message, data, "timestamp")
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
WARM_UP = 200
#: So long the delivery may need until it has seen that the stores are there, or away.
SETTLING_SECONDS = 4.0
THREADS = 8
PICTURES, PICTURE_BYTES = 300, 200_000
#: So many calls of a kind before the next kind has its turn: all meet the same machine, and none
#: pays for the caches that another has emptied.
TURN = 100
Call = Callable[[int], object]


def main() -> None:
    """Measure the calls in turn, then the pictures, then the threads."""
    # What stays in the spool is no news here.
    logging.getLogger("agentruns").setLevel(logging.ERROR)
    agent_id, calls = sys.argv[1], int(sys.argv[2])
    recorder = Recorder(agent_id, exit_seconds=0)
    with psycopg.connect(os.environ["INSERT_INTO"], autocommit=True) as connection:
        run = recorder.start_run("a run that is measured")
        recorder.flush(SETTLING_SECONDS)
        _make_task(connection, run)
        figures = _times(_calls(run, connection), calls)
    contents = [picture(PICTURE_BYTES) for _ in range(PICTURES)]
    figures |= _times({"picture": lambda n: run.screenshot(contents[n % PICTURES])}, PICTURES, 0)
    figures["events"] = _events_per_second(run, calls)
    print(json.dumps(figures))
    run.finish()


def _make_task(connection: "psycopg.Connection[tuple[object, ...]]", run: Run) -> None:
    # While the stores are away for the delivery, nobody else tells PostgreSQL of the task.
    connection.execute(
        "INSERT INTO tasks (id, agent_id, title, status, status_at, created_at) "
        "VALUES (%s, %s, 'measured', 'in_progress', now(), now()) ON CONFLICT DO NOTHING",
        (run.task_id, run.agent_id),
    )


def _calls(run: Run, connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, Call]:
    def insert(number: int) -> None:
        row = (new_id(), run.task_id, run.agent_id, number, 50.0, MESSAGE, Jsonb(DATA), utcnow())
        connection.execute(INSERT, row)

    return {
        "log": lambda _: run.log(MESSAGE, **DATA),
        "progress": lambda number: run.progress(50.0, MESSAGE, step=number, data=DATA),
        "insert": insert,
        "sqlite": _sqlite_insert(run),
    }


def _sqlite_insert(run: Run) -> Call:
    """The same as bare as it can be: one row, one commit that is on the disk."""
    folder = Path(os.environ["AGENTRUNS_SPOOL"], "bare")
    folder.mkdir(exist_ok=True)
    database = sqlite3.connect(folder / "events.db", isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {setting}")
    database.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, payload TEXT)")
    payload = json.dumps({"task_id": str(run.task_id), "message": MESSAGE, "data": DATA})
    return lambda _: database.execute("INSERT INTO events (payload) VALUES (?)", (payload,))


def _times(calls: dict[str, Call], count: int, warm_up: int = WARM_UP) -> dict[str, float]:
    """The median and the 99th percentile of each, in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for first in range(0, warm_up + count, TURN):
        for name, call in calls.items():
            for number in range(first, first + TURN):
                start = time.perf_counter()
                call(number)
                times[name].append((time.perf_counter() - start) * 1000)
    return {
        f"{name} {word}": percentile(times[name][warm_up:], share)
        for name in calls
        for word, share in (("median", 0.5), ("p99", 0.99))
    }


def _events_per_second(run: Run, count: int) -> float:
    def work(_: int) -> None:
        for _ in range(count // 2):
            run.log(MESSAGE, **DATA)

    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    return THREADS * (count // 2) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
