"""A prefix in a bucket as the source of a migration, on a real server, with a key of its own."""

import shutil
import tempfile
from pathlib import Path

import pytest

from storage.errors import (
    AccessDenied,
    MigrationRunning,
    RecordRejected,
    SettingsError,
    StoreUnavailable,
)
from storage.migration import MigrationStore
from storage.migration.copying import Copied, Copying
from storage.migration.cutover import cut_over, remove_source
from storage.migration.item_copy import VANISHED
from storage.migration.models import START
from storage.migration.places import checked_place, place_of
from storage.migration.reaching import at_hand
from storage.migration.rebuilding import Rebuilding
from storage.stores import Stores
from tasks.migration import verify_items
from tests.integration.bad_runs import plant
from tests.source_buckets import MOVING, READING, bucket_with_key
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


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Nothing is left in the scratch folder by any of these tests."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    assert [path for path in folder.rglob("*") if not path.is_dir()] == []
    assert list(folder.glob("agentruns-scratch-*/*")) == []


@pytest.fixture
def bucket(settings, monkeypatch):
    with bucket_with_key(settings, monkeypatch, READING) as bucket:
        yield bucket


@pytest.fixture
def movable(settings, monkeypatch):
    with bucket_with_key(settings, monkeypatch, MOVING) as bucket:
        yield bucket


@pytest.fixture
def stores(settings):
    with Stores(settings) as stores:
        yield stores


@pytest.fixture
def store(stores):
    return MigrationStore(stores.postgres)


def listed(store, source, agent_id):
    migration = store.open(source, agent_id, "UTC")
    store.take_inventory(migration)
    return migration


def copied(stores, store, migration):
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    return Copying(store, stores.writer).copy(migration, ids)


def differing(store, migration, *, deep=True):
    return verify_items.fn(migration.id, store.items_to_verify(migration.id, None, 1000), deep)


def told(store, migration):
    """What an inventory and a copy found, item by item and file by file."""
    with store._postgres.connection() as connection:
        items = connection.execute(
            "SELECT path, format, files, size_bytes, status, reason, counts FROM migration_items"
            " WHERE migration_id = %s ORDER BY path, format",
            [migration.id],
        ).fetchall()
        files = connection.execute(
            "SELECT path, size_bytes, decision, status, reason, sha256 FROM migration_files"
            " WHERE migration_id = %s ORDER BY path",
            [migration.id],
        ).fetchall()
    return items, files


def tasks_of(stores, agent_id):
    tasks = stores.postgres.get_tasks(agent_id=agent_id)
    return sorted((task.title, task.status, str(task.metadata)) for task in tasks)


def test_no_more_is_fetched_at_once_to_verify_than_to_copy(
    stores, store, bucket, agent_id, monkeypatch
):
    bucket.put_many({f"runs/{n}/x.txt": b"x" * 100 for n in range(6)})
    migration = listed(store, f"s3://{bucket.name}/runs", agent_id)
    copied(stores, store, migration)
    fetched = []

    def noted(migration, files):
        some = list(files)
        fetched.append(sum(file.size_bytes for file in some))
        return at_hand(migration, some)

    monkeypatch.setattr("tasks.migration.at_hand", noted)
    monkeypatch.setattr("tasks.migration.MOST_BYTES", 250)
    assert differing(store, migration) == 0
    assert fetched == [200, 200, 200]


def test_a_prefix_is_imported_as_the_same_folder_is(stores, store, bucket, agent_id, tmp_path):
    folder = tmp_path / "old runs"
    shutil.copytree(RUNS, folder / "cua")
    (folder / "organised").mkdir()
    organise_flat([path for path in RUNS.iterdir() if path.is_dir()], folder / "organised")
    osworld(folder / "osworld", [osworld_line(1), osworld_line(2)])
    run = next(folder.rglob("traj.jsonl")).parent
    (run.parents[1] / "args.json").write_text('{"model": "m"}')
    for name in ("browser use", "atif"):
        (folder / name).mkdir()
    browser_use(folder / "browser use", [browser_use_step(1), browser_use_step(2)])
    browsergym(folder / "browsergym")
    atif(folder / "atif")
    (folder / "notes").mkdir()
    (folder / "notes" / "größe 1.txt").write_text("What we did in May.\n")
    bucket.put_tree(folder, "old runs")
    here = listed(store, folder, f"{agent_id}x")
    copied(stores, store, here)
    there = listed(store, f"s3://{bucket.name}/old runs", agent_id)
    assert there.source == f"s3://{bucket.name}/old runs"
    copied(stores, store, there)
    assert told(store, there) == told(store, here)
    assert differing(store, there) == 0
    again = listed(store, f"s3://{bucket.name}/old runs", agent_id)
    assert again.id == there.id
    assert copied(stores, store, again) == Copied()
    # Also what a reader finds in the folders above a run.
    assert tasks_of(stores, agent_id) == tasks_of(stores, f"{agent_id}x")
    assert "'model': 'm'" in str(tasks_of(stores, agent_id))


def test_bad_runs_in_a_bucket_are_told_as_those_in_a_folder(
    stores, store, bucket, agent_id, tmp_path
):
    folder = plant(tmp_path / "old runs")
    bucket.put_tree(folder, "old runs")
    there = listed(store, f"s3://{bucket.name}/old runs", agent_id)
    copied(stores, store, there)
    here = listed(store, folder, f"{agent_id}x")
    copied(stores, store, here)
    in_bucket = {entry.name: entry.reason for entry in store.quarantine(there.id, 1000)}
    in_folder = {entry.name: entry.reason for entry in store.quarantine(here.id, 1000)}
    # An object is no link and no pipe, and every object's name is UTF-8.
    assert in_bucket.items() <= in_folder.items()
    assert in_folder.keys() - in_bucket.keys() <= {"link", "pipe"}
    assert store.summary(there.id).items["pending"] == 0


def test_a_prefix_is_cut_over_rebuilt_and_moved_to_the_trash_beside_it(
    stores, store, movable, agent_id, tmp_path
):
    contents = movable.put_tree(RUNS, "team/runs")
    movable.put("team/runs-of-others/x.txt", b"not ours")
    movable.put("team/runs/", b"")
    migration = listed(store, f"s3://{movable.name}/team/runs/", agent_id)
    copied(stores, store, migration)
    assert cut_over(store, migration.id, "me", []).reasons != []
    assert differing(store, migration) == 0
    assert cut_over(store, migration.id, "me", []).reasons == []
    name = min(contents)
    movable.put(name, b"written after the cutover")
    movable.put("team/runs/new.txt", b"came after the cutover")
    removed = remove_source(store, migration.id)
    assert removed.trash.startswith(f"s3://{movable.name}/team/runs.migrated-")
    assert removed.moved == len(contents) - 1
    assert set(removed.kept) == {"new.txt", name.removeprefix("team/runs/"), "."}
    trash = removed.trash.removeprefix(f"s3://{movable.name}/")
    moved = {one.replace(trash, "team/runs"): movable.get(one) for one in movable.names(trash)}
    assert moved == {one: data for one, data in contents.items() if one != name}
    assert movable.get("team/runs-of-others/x.txt") == b"not ours"
    assert remove_source(store, migration.id).moved == 0
    task = next(iter(stores.postgres.get_tasks(agent_id=agent_id)))
    done = Rebuilding(stores.postgres, stores.minio).rebuild(task.id, tmp_path / "again")
    assert done.files == done.equal + len(done.redacted)
    for path in (tmp_path / "again").rglob("*.png"):
        below = path.relative_to(tmp_path / "again").as_posix()
        assert path.read_bytes() == contents[f"team/runs/{below}"]


def test_a_key_that_may_only_read_imports_and_moves_nothing(stores, store, bucket, agent_id):
    contents = bucket.put_tree(RUNS, "runs")
    migration = listed(store, f"s3://{bucket.name}/runs", agent_id)
    copied(stores, store, migration)
    assert differing(store, migration) == 0
    assert cut_over(store, migration.id, "me", []).reasons == []
    with pytest.raises(AccessDenied, match="AGENTRUNS_SOURCE_S3_ACCESS_KEY"):
        remove_source(store, migration.id)
    assert {name: bucket.get(name) for name in bucket.names()} == contents


def test_an_object_that_the_key_may_not_read_keeps_its_own_item_waiting_and_no_other(
    stores, store, bucket, agent_id
):
    bucket.put("runs/a/notes.txt", b"open")
    bucket.put("runs/b/closed.json", b"{}")
    migration = listed(store, f"s3://{bucket.name}/runs", agent_id)
    done = copied(stores, store, migration)
    assert (done.archived, done.postponed) == (1, 1)
    (key, _, _), *others = store.items_to_copy(migration.id, START, 9)
    (waiting,) = store.items([key.id])
    assert (waiting.path, waiting.reason, others) == (b"b", VANISHED, [])
    assert cut_over(store, migration.id, "me", []).reasons


def test_more_objects_than_one_page_are_all_listed_and_archived(stores, store, bucket, agent_id):
    bucket.put_many({f"many/{n % 3}/{n:05d}.txt": b"%d" % n for n in range(2_001)})
    migration = listed(store, f"s3://{bucket.name}/many", agent_id)
    assert store.found(migration.id).files == 2_001
    assert copied(stores, store, migration).archived == 3
    assert differing(store, migration) == 0


def test_an_object_that_changes_is_read_again_and_waits_for_the_next_inventory(
    stores, store, bucket, agent_id
):
    bucket.put("runs/a/notes.txt", b"before")
    bucket.put("runs/b/notes.txt", b"before")
    migration = listed(store, f"s3://{bucket.name}/runs", agent_id)
    # Of the same length, within the same second: only its ETag tells.
    bucket.put("runs/a/notes.txt", b"afters")
    done = copied(stores, store, migration)
    assert (done.archived, done.postponed) == (1, 1)
    listed(store, f"s3://{bucket.name}/runs", agent_id)
    assert copied(stores, store, migration).archived == 1
    assert differing(store, migration) == 0
    bucket.put("runs/a/notes.txt", b"again!")
    assert differing(store, migration) == 1
    (found,) = store.differences(migration.id)
    assert "another content" in found.difference


def test_a_bucket_of_our_own_is_no_source(settings, bucket, monkeypatch):
    for name in ("screenshots", "binaries"):
        with pytest.raises(SettingsError, match="bucket of agentruns itself"):
            checked_place(f"s3://{name}/x")
    port = settings.required("minio_endpoint").rpartition(":")[2]
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_ENDPOINT", f"localhost:{port}")
    with pytest.raises(SettingsError, match="bucket of agentruns itself"):
        checked_place("s3://screenshots")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("s3://{}/nothing", "holds no object"),
        ("s3://no-such-bucket-anywhere/x", "has no bucket|refuses the key"),
        ("s3://X/y", "names no bucket"),
        ("s3:///y", "names no bucket"),
        ("s3://{}/a/../b", "Name a prefix above it"),
        ("s3://{}//a", "Name a prefix above it"),
    ],
)
def test_a_source_that_is_none_is_told_with_what_to_do(bucket, source, said):
    bucket.put("runs/x.txt", b"x")
    with pytest.raises((SettingsError, AccessDenied), match=said):
        checked_place(source.format(bucket.name))


def test_what_is_wrong_with_the_key_or_the_server_is_told_by_its_settings(bucket, monkeypatch):
    bucket.put("runs/x.txt", b"x")
    source = f"s3://{bucket.name}/runs"
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_SECRET_KEY", "wrong-wrong")
    with pytest.raises(AccessDenied, match="AGENTRUNS_SOURCE_S3_SECRET_KEY") as refused:
        checked_place(source)
    assert "wrong-wrong" not in str(refused.value)
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_ENDPOINT", "127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="AGENTRUNS_SOURCE_S3_ENDPOINT"):
        checked_place(source)
    monkeypatch.delenv("AGENTRUNS_SOURCE_S3_ENDPOINT")
    monkeypatch.delenv("AGENTRUNS_SOURCE_S3_SECRET_KEY")
    with pytest.raises(SettingsError, match="S3_ENDPOINT and AGENTRUNS_SOURCE_S3_SECRET_KEY"):
        checked_place(source)


def test_a_whole_bucket_is_a_source_whose_objects_stay(stores, store, movable, agent_id):
    movable.put("notes.txt", b"x")
    migration = listed(store, f"s3://{movable.name}", agent_id)
    assert copied(stores, store, migration).archived == 1
    assert differing(store, migration) == 0
    assert cut_over(store, migration.id, "me", []).reasons == []
    with pytest.raises(RecordRejected, match="whole bucket"):
        remove_source(store, migration.id)
    assert movable.names() == ["notes.txt"]


def test_only_one_run_works_on_a_prefix(store, bucket, agent_id):
    bucket.put("runs/x.txt", b"x")
    migration = store.open(place_of(f"s3://{bucket.name}/runs").name, agent_id)
    with (
        store.only_run(migration.id),
        pytest.raises(MigrationRunning),
        store.only_run(migration.id),
    ):
        pass
