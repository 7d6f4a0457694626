"""Runs of many tools side by side in one folder, each into the stores as its reader tells it."""

import shutil
from pathlib import Path

from storage.migration import MigrationStore
from storage.migration.copying import Copying
from storage.migration.models import START
from storage.migration.verifying import Verifying
from storage.stores import Stores
from tests.unit.foreign_runs import (
    atif,
    browser_use,
    browser_use_step,
    browsergym,
    osworld,
    osworld_line,
)
from tests.unit.organisers import organise_flat

RUNS = Path(__file__).parents[2] / "examples" / "runs"


def test_every_format_in_one_folder_is_imported_and_verifies(settings, agent_id, tmp_path):
    source = tmp_path / "runs"
    shutil.copytree(RUNS, source / "cua")
    (source / "organised").mkdir()
    organise_flat([path for path in RUNS.iterdir() if path.is_dir()], source / "organised")
    osworld(source / "osworld", [osworld_line(1), osworld_line(2)])
    for name in ("browser use", "atif"):
        (source / name).mkdir()
    browser_use(source / "browser use", [browser_use_step(1), browser_use_step(2)])
    browsergym(source / "browsergym")
    atif(source / "atif")
    with Stores(settings) as stores:
        store = MigrationStore(stores.postgres)
        migration = store.open(source, agent_id, "Europe/Berlin")
        store.take_inventory(migration)
        formats = store.found(migration.id).formats
        assert formats.keys() >= {
            *("cua", "organized_traj", "osworld", "browser-use", "browsergym", "atif"),
        }
        ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
        Copying(store, stores.writer).copy(migration, ids)
        summary = store.summary(migration.id)
        whole = [entry for entry in store.quarantine(migration.id) if entry.status == "quarantined"]
        assert whole == []
        assert summary.items["pending"] == 0
        files = store.files_of(ids)
        verifying = Verifying(stores, migration, deep=True)
        for item in store.items(store.items_to_verify(migration.id, None, 1000)):
            assert verifying.differences(item, files[item.id]) == [], item.name
        scorers = {one.scorer for one in stores.postgres.get_evaluations(agent_id=agent_id)}
        assert "imported:osworld-result" in scorers
