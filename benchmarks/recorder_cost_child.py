"""One agent, recorded or alone; prints what it took as a line of JSON.

python -m benchmarks.recorder_cost_child recorded|bare|alone work|remember AMOUNT AGENT SPOOL
"""

import json
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.material import DATA, MESSAGE, picture

if TYPE_CHECKING:
    from agentruns import Run

EVENTS_A_SECOND, PICTURES_A_SECOND = 50, 2
PICTURE_BYTES = 200_000
BATCH = 500


class Ways(NamedTuple):
    """What an agent does with an event of a number, and with a picture."""

    say: Callable[[int], object]
    show: Callable[[bytes], object]


def main() -> None:
    """Do the work that was asked for."""
    # What stays in the spool is no news here.
    logging.getLogger("agentruns").setLevel(logging.ERROR)
    how, what, amount, agent_id, spool = sys.argv[1:]
    if how == "recorded":
        with _run(agent_id, spool) as run:
            ways = Ways(lambda number: _say(run, number), run.screenshot)
            told = _work(int(amount), ways) if what == "work" else _remember(int(amount), run)
    else:
        ways = _bare(Path(spool)) if how == "bare" else Ways(lambda _: None, lambda _: None)
        told = _work(int(amount), ways) if what == "work" else _remember(int(amount), None)
    print(json.dumps(told))


@contextmanager
def _run(agent_id: str, spool: str) -> "Iterator[Run]":
    # Late: the agent alone must not pay for it.
    from agentruns import Recorder  # noqa: PLC0415

    with Recorder(agent_id, spool=spool, exit_seconds=0).run("a run that is measured") as run:
        yield run


def _bare(folder: Path) -> Ways:
    """The same promise as bare as it can be: one insert a commit, a file for each picture."""
    (folder / "bare").mkdir()
    database = sqlite3.connect(folder / "bare" / "events.db", isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {setting}")
    database.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, payload TEXT)")
    payload = json.dumps({"message": MESSAGE, "data": DATA})

    def show(content: bytes) -> None:
        with (folder / "bare" / str(len(content))).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    return Ways(
        lambda _: database.execute("INSERT INTO events (payload) VALUES (?)", (payload,)), show
    )


def _work(seconds: int, ways: Ways) -> dict[str, float]:
    """The share of one processor that a steady stream of events takes."""
    contents = [picture(PICTURE_BYTES) for _ in range(PICTURES_A_SECOND * seconds)]
    begun, used = time.monotonic(), time.process_time()
    for number in range(EVENTS_A_SECOND * seconds):
        time.sleep(max(0.0, begun + number / EVENTS_A_SECOND - time.monotonic()))
        ways.say(number)
        if number % (EVENTS_A_SECOND // PICTURES_A_SECOND) == 0:
            ways.show(contents.pop())
    return {"share": (time.process_time() - used) / (time.monotonic() - begun)}


def _say(run: "Run", number: int) -> None:
    if number % 2:
        run.log(MESSAGE, **DATA)
    else:
        run.progress(50.0, MESSAGE, step=number, data=DATA)


def _remember(events: int, run: "Run | None") -> dict[str, float]:
    """The memory after a tenth of the events, said one by one or in batches, and after all."""
    if not run:
        return {"early": _resident_bytes(), "late": _resident_bytes()}
    for number in range(events // 20):
        _say(run, number)
    _say_at_once(run, events // 20)
    early = _resident_bytes()
    _say_at_once(run, events - events // 10)
    return {"early": early, "late": _resident_bytes()}


def _say_at_once(run: "Run", events: int) -> None:
    from agentruns.models import LogEntry, new_id  # noqa: PLC0415 - as above

    about: dict[str, Any] = {"agent_id": run.agent_id, "task_id": run.task_id}
    entry = LogEntry(message=MESSAGE, data=DATA, **about)
    for _ in range(events // BATCH):
        run.record([entry.model_copy(update={"id": new_id()}) for _ in range(BATCH)])


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    (found,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(found) * 1024


if __name__ == "__main__":
    main()
