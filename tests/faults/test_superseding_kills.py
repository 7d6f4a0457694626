"""Making one task of a run that was seen twice may be killed at any moment."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.stores import Stores
from tests.integration.test_migration_live import CLICK, DONE, LOOK, TYPE, Fleet, left

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "3"))
KILLS = 3


def start(fleet: Fleet) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.superseding", str(fleet.saved), fleet.agent_id],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(fleet: Fleet, chance: random.Random) -> None:
    """After so many lines, and then within a step."""
    process = start(fleet)
    assert process.stdout
    for _ in range(chance.randint(0, 3)):
        process.stdout.readline()
    time.sleep(chance.random() * 0.2)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("trial", range(max(1, TRIALS // KILLS)))
def test_a_run_seen_twice_is_one_task_whenever_that_was_killed(
    tmp_path: Path, agent_id: str, stores: Stores, trial: int
) -> None:
    chance = random.Random(trial)
    fleet = Fleet(tmp_path, agent_id, stores)
    fleet.run([CLICK, TYPE, LOOK, DONE])
    fleet.migrate()
    (imported,), steps = fleet.tasks(), fleet.steps()
    fleet.deliver()
    for _ in range(KILLS):
        killed(fleet, chance)
    said, _ = start(fleet).communicate(timeout=120)
    assert said.splitlines()[-1] == "done"
    (live,) = fleet.tasks()
    assert live.id != imported.id
    assert fleet.steps() == steps
    assert fleet.differences() == {}
    assert left(fleet, imported) == (0, 0)
