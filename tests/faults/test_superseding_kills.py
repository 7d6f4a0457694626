"""Making one task of a run that was seen twice may be killed at any moment."""

import os
from pathlib import Path

import pytest

from storage.stores import Stores
from tests.faults.killing import kill_in, run
from tests.faults.recording_trials import SEED, moments
from tests.faults.superseding import first_copy, next_run
from tests.integration.test_migration_live import CLICK, DONE, LOOK, TYPE, Fleet

#: Kills of each way in which it may begin.
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "4"))
STEPS = ("look", "join", "compare", "supersede")
KILLS = 4


@pytest.mark.parametrize("cut_off", [False, True], ids=["after a copy", "after half a copy"])
@pytest.mark.parametrize("trial", range(max(1, TRIALS // KILLS)))
def test_a_run_seen_twice_is_one_task_whenever_that_was_killed(
    tmp_path: Path, agent_id: str, stores: Stores, trial: int, cut_off: bool
) -> None:
    chance = moments(f"superseding {trial} {cut_off}")
    fleet = Fleet(tmp_path, agent_id, stores)
    told = [str(fleet.saved), agent_id]
    fleet.run([CLICK, TYPE, LOOK, DONE])
    run(first_copy, told, kill_in("first copy", chance, 0, acts=30) if cut_off else None)
    fleet.deliver()
    for number in range(KILLS):
        run(next_run, told, kill_in(chance.choice(STEPS), chance, number, acts=20, seconds=0.3))
    assert not run(next_run, told).killed
    assert_one_task(fleet)


def assert_one_task(fleet: Fleet) -> None:
    """Only the live one is left, with everything, and nothing of the other anywhere."""
    (live,) = fleet.tasks()
    assert live.id.version != 5, f"seed {SEED}"
    assert fleet.steps() == [1, 2, 3, 3], f"seed {SEED}"
    assert fleet.differences() == {}, f"seed {SEED}"
    folder = f"{fleet.agent_id}/{live.id}/"
    for bucket in ("screenshots", "binaries"):
        objects = fleet.stores.minio.list(bucket, f"{fleet.agent_id}/")
        assert [o.path for o in objects if not o.path.startswith(folder)] == [], f"seed {SEED}"
    logs = fleet.stores.mongo.read_logs(agent_id=fleet.agent_id, limit=1000)
    assert {entry.task_id for entry in logs} <= {live.id}, f"seed {SEED}"
