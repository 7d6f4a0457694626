"""Whatever is wrong in a tree of runs: after a migration, every file of it is accounted for."""

import os
from pathlib import Path

import pytest

from storage.migration import MigrationStore
from storage.migration.copying import Copying
from storage.migration.models import START
from storage.migration.verifying import Verifying
from storage.stores import Stores
from tests.faults.recording_trials import SEED, moments
from tests.random_trees import damage, plant

TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "3"))


@pytest.mark.parametrize("trial", range(TRIALS))
def test_every_file_of_a_damaged_tree_is_accounted_for(
    stores: Stores, agent_id: str, tmp_path: Path, trial: int
) -> None:
    chance, root = moments(f"random tree {trial}"), plant(tmp_path / "runs")
    damage(root, chance, chance.randint(1, 40))
    paths = [path for path in root.rglob("*") if path.is_symlink() or not path.is_dir()]
    store = MigrationStore(stores.postgres)
    migration = store.open(root, agent_id, "UTC")
    store.take_inventory(migration)
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    assert Copying(store, stores.writer).copy(migration, ids).postponed == 0
    summary = store.summary(migration.id)
    assert sum(summary.files.values()) == len(paths), f"seed {SEED}"
    assert (summary.files["listed"], summary.items["pending"]) == (0, 0), f"seed {SEED}"
    verifying, files = Verifying(stores, migration, deep=True), store.files_of(ids)
    copied = store.items(store.items_to_verify(migration.id, None, 1000))
    found = {item.name: verifying.differences(item, files[item.id]) for item in copied}
    assert {name: said for name, said in found.items() if said} == {}, f"seed {SEED}"
