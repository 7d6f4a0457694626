"""A pass that is killed at any moment is completed by the next one, without doubles or gaps.

`AGENTRUNS_TRIALS` runs more kills than the few of every day.
"""

import os
import signal
import subprocess
import sys
from random import Random

import pytest

from agentruns.models import AgentTask, Status
from agentruns.scoring import SCORERS
from storage.evaluation import EvaluationStore
from storage.stores import Stores

pytestmark = pytest.mark.slow

TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "5"))
TASKS = 400

PASS = """
from agentruns.models import new_id
from agentruns.scoring import SCORERS
from storage.evaluation import BatchResult, EvaluationStore
from storage.evidence import PassOrder
from storage.stores import shared_stores

stores = shared_stores()
evaluation = EvaluationStore(stores.postgres, stores.mongo)
order, pass_id, done = PassOrder(tuple(SCORERS), batch_size=5), new_id(), BatchResult()
with evaluation.only_pass(wait_seconds=30):
    evaluation.open_pass(pass_id, order)
    print("begun", flush=True)
    while done.reached is not None:
        done += evaluation.evaluate_batch(pass_id, order, done.reached, 10**6)
    counts = evaluation.close_pass(pass_id, {})
print(counts.evaluated, counts.skipped, flush=True)
"""


def test_a_killed_pass_leaves_no_double_and_no_gap(stores: Stores, agent_id: str) -> None:
    tasks = [AgentTask(agent_id=agent_id, title="x", status=Status.COMPLETED) for _ in range(TASKS)]
    stores.writer.write(tasks)
    random = Random(7)
    # One is hit in the middle for sure, else the test could prove nothing.
    stored = [_kill_one_at_work(stores)]
    stored += [_kill_one_after(random.uniform(0, 0.4), stores) for _ in range(TRIALS - 1)]
    assert stored == sorted(stored)
    assert any(0 < verdicts < TASKS * len(SCORERS) for verdicts in stored)
    begun = stored[-1] // len(SCORERS)

    last = subprocess.run(
        [sys.executable, "-c", PASS], check=True, stdout=subprocess.PIPE, text=True
    )
    evaluated, skipped = map(int, last.stdout.splitlines()[-1].split())
    assert (evaluated, skipped) == (TASKS - begun, begun)
    assert _verdicts(stores) == TASKS * len(SCORERS)
    with stores.postgres.connection() as connection:
        doubles = connection.execute(
            "SELECT task_id FROM evaluations GROUP BY task_id, scorer HAVING count(*) > 1"
        ).fetchall()
    assert doubles == []


def test_a_killed_pass_gives_the_way_free_at_once(stores: Stores, agent_id: str) -> None:
    stores.writer.write([AgentTask(agent_id=agent_id, title="x", status=Status.COMPLETED)])
    _kill_one_after(0.0, stores)
    evaluation = EvaluationStore(stores.postgres, stores.mongo)
    with evaluation.only_pass(wait_seconds=5):
        pass


def _kill_one_at_work(stores: Stores) -> int:
    with _begun() as process:
        while not _verdicts(stores):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    return _verdicts(stores)


def _kill_one_after(seconds: float, stores: Stores) -> int:
    with _begun() as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    return _verdicts(stores)


def _begun() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PASS], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    return process


def _verdicts(stores: Stores) -> int:
    with stores.postgres.connection() as connection:
        return int(connection.execute("SELECT count(*) FROM evaluations").fetchall()[0][0])
