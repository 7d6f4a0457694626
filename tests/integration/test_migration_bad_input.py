"""Whatever is wrong with a source: every file is accounted for, and the good rest is imported."""

from pathlib import Path

import pytest

from storage.migration import MigrationStore
from storage.migration.copying import Copying
from storage.migration.models import START
from storage.migration.rebuilding import Rebuilding
from storage.migration.verifying import Verifying
from storage.stores import Stores
from tests.integration.bad_runs import plant


@pytest.fixture
def stores(settings):
    with Stores(settings) as stores:
        yield stores


@pytest.fixture
def migrated(stores, tmp_path, agent_id):
    """The planted tree, listed and copied."""
    store = MigrationStore(stores.postgres)
    migration = store.open(plant(tmp_path / "old runs"), agent_id, "UTC")
    store.take_inventory(migration)
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    Copying(store, stores.writer).copy(migration, ids)
    return store, migration


def test_every_file_is_accounted_for_and_every_reason_is_readable(stores, migrated, tmp_path):
    store, migration = migrated
    source = tmp_path / "old runs"
    paths = [path for path in source.rglob("*") if path.is_symlink() or not path.is_dir()]
    summary = store.summary(migration.id)
    assert sum(summary.files.values()) == len(paths)
    assert (summary.files["listed"], summary.files["ignored"]) == (0, 2)
    assert summary.items["pending"] == 0
    assert not summary.is_good
    told = store.quarantine(migration.id, 1000)
    assert all(entry.reason and len(entry.reason) < 300 for entry in told)
    assert all(entry.reason.isprintable() for entry in told)
    assert "good" not in {entry.name for entry in told}
    troubled = {entry.name for entry in told}
    assert troubled >= {
        *("cut json", "list for object", "empty json", "deep", "empty picture", "half a picture"),
        *("html for picture", "huge picture", "no metadata", "unknown status", "link", "pipe"),
    }


def test_what_was_imported_of_bad_runs_verifies_and_is_rebuilt(
    stores, migrated, agent_id, tmp_path
):
    store, migration = migrated
    ids = store.items_to_verify(migration.id, None, 1000)
    files = store.files_of(ids)
    verifying = Verifying(stores, migration, deep=True)
    for item in store.items(ids):
        assert verifying.differences(item, files[item.id]) == [], item.name
    rebuilding, source = Rebuilding(stores.postgres, stores.minio), tmp_path / "old runs"
    for number, task in enumerate(stores.postgres.get_tasks(agent_id=agent_id, limit=1000)):
        target = tmp_path / f"again {number}"
        done = rebuilding.rebuild(task.id, target)
        redacted = {one["path"] for one in done.redacted}
        for path in filter(Path.is_file, target.rglob("*")):
            name = path.relative_to(target)
            assert str(name) in redacted or path.read_bytes() == (source / name).read_bytes()


def test_equal_runs_are_one_task_and_runs_of_one_name_are_two(stores, migrated, agent_id):
    tasks = stores.postgres.get_tasks(agent_id=agent_id, limit=1000)
    names = [task.metadata["source_ref"] for task in tasks]
    assert (names.count("cua:twice"), names.count("cua:one id")) == (1, 2)
