"""One agent, recorded or alone; prints what it took as a line of JSON.

python -m benchmarks.recorder_cost_child recorded|alone work|remember AMOUNT AGENT SPOOL
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.material import DATA, MESSAGE, picture

if TYPE_CHECKING:
    from agentruns import Run

EVENTS_A_SECOND, PICTURES_A_SECOND = 50, 2
PICTURE_BYTES = 200_000
BATCH = 500


def main() -> None:
    """Do the work that was asked for."""
    # What stays in the spool is no news here.
    logging.getLogger("agentruns").setLevel(logging.ERROR)
    how, what, amount, agent_id, spool = sys.argv[1:]
    with _run(agent_id, spool) if how == "recorded" else _nobody() as run:
        act = _work if what == "work" else _remember
        print(json.dumps(act(int(amount), run)))


@contextmanager
def _run(agent_id: str, spool: str) -> "Iterator[Run | None]":
    # Late: the agent alone must not pay for it.
    from agentruns import Recorder  # noqa: PLC0415

    with Recorder(agent_id, spool=spool, exit_seconds=0).run("a run that is measured") as run:
        yield run


@contextmanager
def _nobody() -> "Iterator[Run | None]":
    yield None


def _work(seconds: int, run: "Run | None") -> dict[str, float]:
    """The share of one processor that a steady stream of events takes."""
    contents = [picture(PICTURE_BYTES) for _ in range(PICTURES_A_SECOND * seconds)]
    begun, used = time.monotonic(), time.process_time()
    for number in range(EVENTS_A_SECOND * seconds):
        time.sleep(max(0.0, begun + number / EVENTS_A_SECOND - time.monotonic()))
        if run:
            _say(run, number)
        if number % (EVENTS_A_SECOND // PICTURES_A_SECOND) == 0:
            content = contents.pop()
            if run:
                run.screenshot(content, step=number)
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
