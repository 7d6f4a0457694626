"""The clock of the agent's machine set back while it records: the order is that of its words."""

import subprocess
import sys
from itertools import pairwise
from uuid import UUID

from agentruns.spool import Spool
from storage.delivery import Delivery
from storage.stores import Stores
from tests.faults.recording_children import ROOT
from tests.faults.recording_stores import Kept
from tests.faults.recording_trials import (
    PROMISES,
    moments,
    some,
)

CLOCK_BACK = "   clock set back by an hour"

#: Records before and after the clock was set back, in one run and in the next.
SET_BACK = """
import sys, time
from datetime import datetime, timedelta

import agentruns.models.clock as clock
from agentruns import Recorder

at, back = int(sys.argv[3]), 0
real_time, real_time_ns = time.time, time.time_ns

class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(seconds=back)

clock.datetime = Clock
time.time = lambda: real_time() - back
time.time_ns = lambda: real_time_ns() - back * 10**9

recorder = Recorder(sys.argv[2], spool=sys.argv[1], deliver=False, exit_seconds=0)
for _ in range(2):
    with recorder.run("x") as run:
        print(run.task_id)
        for number in range(40):
            back = 3600 if number >= at else back
            run.log(f"{number}")
            run.progress(number, f"{number}", step=number)
            run.remember(f"{number}")
            run.file(b"%d" % number, words=f"{number}")
"""


def test_a_clock_set_back_by_an_hour_changes_no_order_and_no_status(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    random, trials = moments("clock"), some(0.1)
    for _ in range(trials):
        command = [sys.executable, "-c", SET_BACK, spool.folder, agent_id, random.randrange(40)]
        done = subprocess.run(
            list(map(str, command)), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        Delivery(spool, stores.settings).drain()
        kept = Kept(stores, agent_id)
        for task_id in map(UUID, done.stdout.split()):
            _check_order(kept, task_id)
            page = stores.postgres.get_task_progress(task_id)
            assert [update.step for update in page] == list(range(40))
            assert kept.tasks[task_id].status == "completed"
            assert kept.tasks[task_id].started_at <= kept.tasks[task_id].finished_at
    PROMISES[CLOCK_BACK].trials += trials


def _check_order(kept: Kept, task_id: UUID) -> None:
    told = sorted(
        (event for event in kept.events() if event.task_id == task_id),
        key=lambda event: event.sequence,
    )
    assert [event.sequence for event in told] == list(range(1, 161))
    assert [event.words for event in told] == [str(n) for n in range(40) for _ in range(4)]
    assert all(one.at <= next_one.at for one, next_one in pairwise(told))
