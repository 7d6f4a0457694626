"""What a migration must not believe: late news, what was tried twice, and an archive's row."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from minio.versioningconfig import ENABLED, VersioningConfig

from agentruns.models import Bucket
from storage.access import Provisioning
from storage.migration import live_recordings, superseding
from storage.migration.copying import Copying
from storage.migration.live_contents import live_contents
from storage.migration.models import START, Item
from storage.migration.steps import Steps
from storage.migration.verifying import Verifying
from storage.minio import MinIOAdapter
from storage.minio.clients import client
from storage.minio.removing import ObjectRemover
from storage.settings import Settings
from tests.integration.test_migration_live import CLICK, DONE, TYPE, Fleet, fleet, left

__all__ = ["fleet"]  # a fixture of another file


@pytest.fixture
def imported(fleet: Fleet) -> Item:
    """A run that is in the stores."""
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (item,) = fleet.items()
    return item


def test_news_of_an_item_that_changed_since_are_not_believed(fleet: Fleet, imported: Item) -> None:
    (note := fleet.folders()[0] / "turn_000" / "note.txt").write_text("Another.\n")
    fleet.migrate()
    fleet.store.note_verified([imported], {imported.id: []})
    assert fleet.items()[0].verified_at is None
    note.write_text("And another.\n")
    fleet.inventory()
    (listed,) = fleet.store.items([imported.id])
    fleet.store.note_differences(listed, [], deep=True)  # listed, and not copied yet
    assert fleet.store.items([imported.id])[0].deeply_verified_at is None


def test_a_batch_that_is_tried_again_counts_once(fleet: Fleet) -> None:
    fleet.run([CLICK, TYPE, DONE])
    migration = fleet.inventory()
    steps, ids = Steps(fleet.stores.postgres), [item.id for item in _pending(fleet)]
    steps.begin(migration.id, "copy")
    for _ in range(2):
        Copying(fleet.store, fleet.stores.writer).copy(migration, ids)
    (progress,) = [step for step in steps.all(migration.id) if step.step == "copy"]
    assert (progress.items, progress.share) == (1, 1.0)


def test_what_was_not_read_is_not_verified_anew(fleet: Fleet, imported: Item) -> None:
    assert fleet.differences() == {}
    fleet.store.note_verification(imported.migration_id, deep=True)
    before = fleet.store.get(imported.migration_id)
    fleet.store.note_verification(imported.migration_id, deep=True, only_new=True)
    (item,) = fleet.items()
    after = fleet.store.get(imported.migration_id)
    assert after.deeply_verified_at == item.deeply_verified_at
    assert item.deeply_verified_at is not None
    assert before.deeply_verified_at is not None
    assert item.deeply_verified_at < before.deeply_verified_at


def cut(fleet: Fleet, path: str) -> None:
    _put(fleet, path, b"short")


def overwritten(fleet: Fleet, path: str) -> None:
    size = fleet.stores.minio.stat(Bucket.BINARIES, path).info.size
    _put(fleet, path, b"x" * size)


def without_row(fleet: Fleet, path: str) -> None:
    with fleet.stores.postgres.connection() as connection:
        connection.execute("DELETE FROM binary_file_metadata WHERE object_path = %s", [path])


def gone(fleet: Fleet, path: str) -> None:
    fleet.stores.minio.delete(Bucket.BINARIES, path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "has 5 bytes where its row has"),
        (overwritten, "has another ETag than its row"),
        (without_row, "is not in the table binary_file_metadata"),
        (gone, "is missing"),
    ],
)
def test_a_damaged_archive_is_told_without_reading_it(
    fleet: Fleet, imported: Item, damage: Callable[[Fleet, str], None], words: str
) -> None:
    assert imported.archive_path
    damage(fleet, imported.archive_path)
    migration = fleet.store.get(imported.migration_id)
    files = fleet.store.files_of([imported.id])[imported.id]
    (told,) = Verifying(fleet.stores, migration).differences(imported, files)
    assert (told.path, words in told.difference) == (imported.archive_path, True)


def test_a_live_task_is_read_once_for_all_folders_of_a_batch(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, run = fleet.go_on([CLICK, TYPE, DONE])
    run.finish()
    recorder.close()
    fleet.deliver()
    shutil.copytree(fleet.folders()[0], fleet.saved / "again")
    read, listed = list[UUID](), list[str]()
    monkeypatch.setattr(live_recordings, "live_contents", _noted(read, live_contents, 2))
    monkeypatch.setattr(MinIOAdapter, "list", _noted(listed, MinIOAdapter.list, 2))
    assert fleet.migrate().imported == 2
    assert {item.recorded_as for item in fleet.items()} == {run.task_id}
    assert read == [run.task_id]
    assert fleet.differences() == {}
    assert read == [run.task_id] * 2
    assert len(listed) == len(set(listed)) > 0


def _noted(seen: list[Any], function: Callable[..., Any], number: int) -> Callable[..., Any]:
    def noted(*args: Any) -> Any:
        seen.append(args[number])
        return function(*args)

    return noted


@pytest.mark.parametrize("append_only", [False, True])
def test_a_superseded_task_leaves_no_version_and_no_document(
    fleet: Fleet,
    imported: Item,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    append_only: bool,
) -> None:
    (old,) = fleet.tasks()
    with Provisioning(settings) as access:
        access.add(fleet.agent_id, append_only=append_only)
    with versioned_bucket(settings) as bucket:
        monkeypatch.setattr(superseding, "Bucket", [*Bucket, bucket])
        path = f"{fleet.agent_id}/{old.id}/a.png"
        for content in (b"first", b"second"):
            client(settings).put_object(bucket, path, BytesIO(content), len(content))
        fleet.deliver()
        fleet.look_again()
        assert [task.id for task in fleet.tasks()] != [old.id]
        remover = ObjectRemover(settings)
        assert list(remover.versions(bucket, path)) == []
    assert left(fleet, old) == (0, 0)


@contextmanager
def versioned_bucket(settings: Settings) -> Iterator[Any]:
    """One that is not ours, for the buckets of the tests' server never forget that they were."""

    class Own(StrEnum):
        BUCKET = f"versioned-{uuid4().hex[:12]}"

    minio, name = client(settings), Own.BUCKET
    minio.make_bucket(name)
    minio.set_bucket_versioning(name, VersioningConfig(ENABLED))
    yield name
    minio.remove_bucket(name)


def _pending(fleet: Fleet) -> list[Item]:
    migration = fleet.store.open(str(fleet.saved), fleet.agent_id, listing=False)
    keys = fleet.store.items_to_copy(migration.id, START, 100)
    return list(fleet.store.items([key.id for key, _, _ in keys]))


def _put(fleet: Fleet, path: str, content: bytes) -> None:
    minio = client(fleet.stores.settings)
    minio.put_object(Bucket.BINARIES, path, BytesIO(content), len(content))
