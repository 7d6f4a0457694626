"""Folders of old runs on their way into real stores, without Prefect."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from agentruns.trajectories import CuaReader, formats
from storage.errors import MigrationRunning, RecordRejected
from storage.migration import MigrationStore
from storage.migration.comparing import Comparing
from storage.migration.copying import Copying
from storage.migration.cutover import cut_over, remove_source
from storage.migration.models import START
from storage.migration.rebuilding import Rebuilding
from storage.migration.verifying import Verifying
from storage.stores import Stores
from storage.writer import RecordWriter

RUNS = Path(__file__).parents[2] / "examples" / "runs"


@pytest.fixture
def stores(settings):
    with Stores(settings) as stores:
        yield stores


@pytest.fixture
def store(stores):
    return MigrationStore(stores.postgres)


@pytest.fixture
def source(tmp_path):
    """Real runs, and a few other files beside them."""
    source = tmp_path / "old runs"
    shutil.copytree(RUNS, source)
    (source / "notes").mkdir()
    (source / "notes" / "readme.txt").write_text("What we did in May.\n")
    (source / "notes" / "elsewhere").symlink_to("/etc/passwd")
    Path(os.fsdecode(os.fsencode(source / "notes") + b"/\xff.txt")).write_bytes(b"\xff\x00")
    os.mkfifo(source / "pipe")
    return source


def inventory(store, source, agent_id):
    migration = store.open(source, agent_id, "UTC")
    store.take_inventory(migration)
    return migration


def copied(stores, store, migration):
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    return Copying(store, stores.writer).copy(migration, ids)


def differences(stores, store, migration, *, deep=True):
    ids = store.items_to_verify(migration.id, None, 1000)
    files = store.files_of(ids)
    verifying = Verifying(stores, migration, deep=deep)
    return {
        item.name: found
        for item in store.items(ids)
        if (found := verifying.differences(item, files[item.id]))
    }


def test_an_inventory_accounts_for_every_path(store, source, agent_id):
    migration = inventory(store, source, agent_id)
    paths = [path for path in source.rglob("*") if path.is_symlink() or not path.is_dir()]
    summary = store.summary(migration.id)
    assert sum(summary.files.values()) == len(paths)
    assert summary.files["ignored"] == 2
    assert store.found(migration.id).formats["cua"] == len(list(RUNS.iterdir()))


def test_what_is_copied_verifies_byte_by_byte(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    done = copied(stores, store, migration)
    assert done.imported == len(list(RUNS.iterdir()))
    assert (done.quarantined, done.postponed) == (0, 0)
    assert differences(stores, store, migration) == {}


def test_a_second_run_over_an_unchanged_source_copies_nothing(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    store.take_inventory(migration)
    assert store.items_to_copy(migration.id, START, 10) == []
    assert store.summary(migration.id).items["pending"] == 0


class Unseen(CuaReader):
    """A reader that was installed between two inventories."""

    name = "unseen"

    def recognise(self, path):
        return path.name == "notes"


def test_an_unchanged_source_is_not_looked_into_unless_other_readers_are_there(
    store, source, agent_id, monkeypatch
):
    looked = []
    monkeypatch.setattr(CuaReader, "recognise", lambda _, path: looked.append(path))
    migration = inventory(store, source, agent_id)
    assert looked
    before = store.found(migration.id)
    looked.clear()
    store.take_inventory(migration)
    assert (looked, store.found(migration.id)) == ([], before)
    store.take_inventory(store.open(source, agent_id, only_format="cua"))
    assert looked
    monkeypatch.setattr(formats, "READERS", (*formats.READERS, Unseen()))
    store.take_inventory(store.open(source, agent_id))
    assert store.found(migration.id).formats["unseen"] == 1


def test_a_run_that_a_disk_did_not_give_is_looked_for_again(store, source, agent_id, monkeypatch):
    scandir = os.scandir

    def of_a_sick_disk(path):
        if isinstance(path, bytes):  # the scan that lists all paths went well
            return scandir(path)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr(os, "scandir", of_a_sick_disk)
        migration = inventory(store, source, agent_id)
    assert set(store.found(migration.id).formats) == {"no format"}
    store.take_inventory(migration)
    assert store.found(migration.id).formats["cua"] > 0


@pytest.mark.parametrize("change", ["new", "gone", "longer", "touched", "closed"])
def test_every_change_of_a_source_is_found(store, source, agent_id, change):
    migration = inventory(store, source, agent_id)
    readme = source / "notes" / "readme.txt"
    match change:
        case "new":
            (source / "notes" / "new.txt").write_text("New.")
        case "gone":
            readme.unlink()
        case "longer":
            readme.write_text("What we did in May and June.\n")
        case "touched":
            os.utime(readme, ns=(0, readme.stat().st_mtime_ns + 1))
        case "closed":
            readme.unlink()
            readme.symlink_to("elsewhere")
    told = store.summary(migration.id).files, manifest(store, migration)
    store.take_inventory(migration)
    assert (store.summary(migration.id).files, manifest(store, migration)) != told


def manifest(store, migration):
    with store._postgres.connection() as connection:
        return connection.execute(
            "SELECT path, size_bytes, modified_ns, decision, gone_at IS NULL FROM migration_files"
            " WHERE migration_id = %s ORDER BY path",
            [migration.id],
        ).fetchall()


def test_only_what_changed_is_copied_again(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    (source / "notes" / "readme.txt").write_text("What we did in June.\n")
    store.take_inventory(migration)
    assert [key.path for key, _, _ in store.items_to_copy(migration.id, START, 10)] == [b"notes"]
    assert copied(stores, store, migration).archived == 1
    assert differences(stores, store, migration) == {}


def test_copying_twice_leaves_the_stores_as_they_were(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    before = everything(stores, agent_id)
    with stores.postgres.connection() as connection:
        connection.execute(
            "UPDATE migration_items SET status = 'pending' WHERE migration_id = %s",
            [migration.id],
        )
    copied(stores, store, migration)
    assert everything(stores, agent_id) == before


def everything(stores, agent_id):
    with stores.postgres.connection() as connection:
        rows = [
            connection.execute(
                f"SELECT * FROM {table} WHERE agent_id = %s ORDER BY id", [agent_id]
            ).fetchall()
            for table in ("task_progress", "binary_file_metadata", "evaluations")
        ]
    logs = stores.mongo.read_logs(agent_id=agent_id, limit=1000).items
    objects = [
        [(info.path, info.etag) for info in stores.minio.list(bucket, f"{agent_id}/")]
        for bucket in ("screenshots", "binaries")
    ]
    return rows, logs, objects


def test_planted_damage_is_told(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    page = stores.postgres.get_binary_files(agent_id=agent_id, bucket="screenshots")
    lost = page.items[0]
    stores.minio.delete(lost.bucket, lost.object_path)
    (told,) = differences(stores, store, migration).values()
    assert told[0] == (lost.object_path, "The object is missing.")


def verified_at_once(stores, store, migration, writer):
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    Copying(store, writer).copy(migration, ids, Comparing(stores, agent_id=migration.agent_id))
    return store.summary(migration.id).items


def test_what_is_verified_right_after_its_copy_is_not_read_again(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    items = verified_at_once(stores, store, migration, stores.writer)
    assert items["verified"] == items["total"] > 1
    assert store.items_to_verify(migration.id, None, 10, only_new=True) == []
    left = store.items_to_verify(migration.id, None, 1000, only_new=True, deep=True)
    assert len(left) == items["total"]
    (source / "notes" / "readme.txt").write_text("What we did in June.\n")
    store.take_inventory(migration)
    assert store.summary(migration.id).items["verified"] == items["total"] - 1


class Losing(RecordWriter):
    """Puts everything where it belongs, and loses one screenshot."""

    def write(self, records):
        written = super().write(records)
        page = self._postgres.get_binary_files(bucket="screenshots", limit=1)
        self.lost = page.items[0].object_path
        self._minio.delete("screenshots", self.lost)
        return written


def test_what_is_lost_right_after_its_copy_is_told(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    writer = Losing(stores.postgres, stores.mongo, stores.minio)
    items = verified_at_once(stores, store, migration, writer)
    (told,) = store.differences(migration.id)
    assert (told.part, told.difference) == (writer.lost, "The object is missing.")
    assert items["verified"] == items["total"] - 1


def test_a_source_that_changed_after_the_copy_does_not_verify(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    (source / "notes" / "readme.txt").write_text("Nothing.\n")
    assert list(differences(stores, store, migration)) == ["notes"]


def test_a_file_that_changes_before_it_is_read_waits_for_the_next_inventory(
    stores, store, source, agent_id
):
    migration = inventory(store, source, agent_id)
    (source / "notes" / "readme.txt").write_text("Still being written ...\n")
    assert copied(stores, store, migration).postponed == 1
    store.take_inventory(migration)
    assert copied(stores, store, migration).archived == 1


def test_what_was_said_of_a_source_holds_until_something_else_is_said(store, source, agent_id):
    store.open(source, agent_id, "Europe/Berlin", only_format="cua")
    kept = store.open(source, agent_id, listing=False)
    assert (kept.timezone, kept.only_format) == ("Europe/Berlin", "cua")
    listed = store.open(source, agent_id)
    assert (listed.timezone, listed.only_format) == ("Europe/Berlin", None)


def test_with_a_format_everything_else_is_archived(store, source, agent_id):
    migration = store.open(source, agent_id, only_format="atif")
    store.take_inventory(migration)
    assert store.found(migration.id).formats.keys() == {"no format"}
    store.take_inventory(store.open(source, agent_id))
    assert store.found(migration.id).formats["cua"] == len(list(RUNS.iterdir()))
    assert store.summary(migration.id).items["gone"] > 0


def test_two_runs_of_one_migration_do_not_mix(store, source, agent_id):
    migration = inventory(store, source, agent_id)
    with (
        store.only_run(migration.id),
        pytest.raises(MigrationRunning, match="migrate show"),
        store.only_run(migration.id),
    ):
        pass
    with store.only_run(migration.id):
        pass


def test_a_run_of_which_nothing_can_be_read_goes_to_quarantine_with_its_reason(
    stores, store, source, agent_id
):
    broken = source / "2026-01-01_broken" / "turn_000"
    broken.mkdir(parents=True)
    (broken / "0000_api_start.json").write_text('{"kwargs": {')
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    entries = store.quarantine(migration.id)
    assert {entry.name for entry in entries} == {"2026-01-01_broken"}
    reasons = {entry.part: entry.reason for entry in entries}
    assert reasons["turn_000/0000_api_start.json"] == "The JSON is broken or cut off."


def tasks_of(stores, agent_id):
    return [task.id for task in stores.postgres.get_tasks(agent_id=agent_id, limit=1000)]


def test_a_folder_is_rebuilt_byte_for_byte_where_nothing_was_secret(
    stores, store, source, agent_id, tmp_path
):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    rebuilding, equal, redacted = Rebuilding(stores.postgres, stores.minio), 0, 0
    for task_id in tasks_of(stores, agent_id):
        target = tmp_path / str(task_id)
        done = rebuilding.rebuild(task_id, target)
        told = {one["path"] for one in done.redacted}
        for path in filter(Path.is_file, target.rglob("*")):
            name = path.relative_to(target)
            original = source / name
            assert path.stat().st_mtime_ns == original.stat().st_mtime_ns
            if str(name) in told:
                redacted += 1
            else:
                assert path.read_bytes() == original.read_bytes()
                equal += 1
    runs = [path for run in RUNS.iterdir() for path in run.rglob("*") if path.is_file()]
    assert equal + redacted == len(runs)
    assert equal > redacted


def test_no_secret_is_in_an_archive(stores, store, source, agent_id, tmp_path):
    secret = "sk-test-" + "a1b2c3d4" * 5
    run = next(path for path in source.iterdir() if path.name.startswith("2026-"))
    first = next(run.rglob("*_api_start.json"))
    first.write_text('{"kwargs": {"model": "m", "api_key": "' + secret + '"}, "created_at": "1"}')
    (source / "notes" / "shell.txt").write_text(f"export PASSWORD={secret}\n")
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    for number, task_id in enumerate(tasks_of(stores, agent_id)):
        target = tmp_path / str(number)
        Rebuilding(stores.postgres, stores.minio).rebuild(task_id, target)
        assert secret.encode() not in b"".join(
            path.read_bytes() for path in target.rglob("*") if path.is_file()
        )


def test_a_folder_that_is_rebuilt_in_part_says_so_and_is_completed(
    stores, store, source, agent_id, tmp_path, monkeypatch
):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    one, other = tasks_of(stores, agent_id)[:2]
    target = tmp_path / "rebuilt"
    rebuilding = Rebuilding(stores.postgres, stores.minio)
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rebuilding.rebuild(one, target)
    assert (target / ".agentruns-rebuilding").read_text() == str(one)
    with pytest.raises(RecordRejected, match="not empty"):
        rebuilding.rebuild(other, target)
    done = rebuilding.rebuild(one, target)
    assert done.files == len([path for path in target.rglob("*") if path.is_file()])


def test_a_rebuild_never_writes_over_anything(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    with pytest.raises(RecordRejected, match="not empty"):
        Rebuilding(stores.postgres, stores.minio).rebuild(tasks_of(stores, agent_id)[0], source)


def verified(stores, store, migration):
    copied(stores, store, migration)
    for item in store.items(store.items_to_verify(migration.id, None, 1000)):
        store.note_differences(item, [], deep=True)


def test_the_gate_names_everything_that_speaks_against_a_cutover(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    (refused,) = cut_over(store, migration.id, "ann", []).reasons
    assert "are new or changed" in refused
    copied(stores, store, migration)
    (refused,) = cut_over(store, migration.id, "ann", []).reasons
    assert "not verified byte by byte" in refused
    verified(stores, store, migration)
    (source / "notes" / "new.txt").write_text("Written in the meantime.\n")
    assert "are new or changed" in cut_over(store, migration.id, "ann", []).reasons[0]
    assert store.get(migration.id).cutover_at is None
    verified(stores, store, migration)
    done = cut_over(store, migration.id, "ann", [])
    assert done.reasons == []
    assert store.get(migration.id).manifest_sha256 == done.manifest_sha256
    assert store.get(migration.id).cutover_by == "ann"


def test_quarantine_has_to_be_accepted_by_name(stores, store, source, agent_id):
    broken = source / "broken" / "turn_000"
    broken.mkdir(parents=True)
    (broken / "0000_api_start.json").write_text('{"kwargs": {')
    migration = inventory(store, source, agent_id)
    verified(stores, store, migration)
    (refused,) = cut_over(store, migration.id, "ann", []).reasons
    assert "quarantine" in refused
    with pytest.raises(RecordRejected, match="no item in quarantine"):
        cut_over(store, migration.id, "ann", ["another"])
    assert cut_over(store, migration.id, "ann", ["broken"]).reasons == []


def test_only_what_the_manifest_knows_is_moved_to_the_trash(stores, store, source, agent_id):
    migration = inventory(store, source, agent_id)
    with pytest.raises(RecordRejected, match="not cut over"):
        remove_source(store, migration.id)
    verified(stores, store, migration)
    assert cut_over(store, migration.id, "ann", []).reasons == []
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    (source / "notes" / "readme.txt").write_text("Changed in the last moment.\n")
    (source / "late.txt").write_text("Came in the last moment.\n")
    removed = remove_source(store, migration.id)
    trash = Path(removed.trash)
    assert sorted(removed.kept) == ["late.txt", "notes/elsewhere", "notes/readme.txt", "pipe"]
    there = {path.relative_to(trash) for path in trash.rglob("*") if path.is_file()}
    assert there == files - {Path("notes/readme.txt"), Path("notes/elsewhere")}
    assert remove_source(store, migration.id).moved == 0


def test_nothing_is_removed_that_came_into_the_manifest_after_it_was_signed(
    stores, store, source, agent_id
):
    migration = inventory(store, source, agent_id)
    verified(stores, store, migration)
    assert cut_over(store, migration.id, "ann", []).reasons == []
    (source / "late.txt").write_text("Came in the last moment.\n")
    store.take_inventory(migration)
    with pytest.raises(RecordRejected, match="not the one that was signed off"):
        remove_source(store, migration.id)
    assert (source / "late.txt").exists()
