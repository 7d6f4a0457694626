"""Objects read to the end: each of them once, and what is damaged found by its content alone."""

import io
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import storage.deep.reading
from agentruns.models import Bucket, StoredFile, object_path
from apps.stack import Stack
from storage.deep import DeepReading, DeepStore, Pass, Scope, scope_of
from storage.deletion.names import Names
from storage.errors import QualityRunning, StoreUnavailable
from storage.inventory import InventoryStore, Listing
from storage.minio import MinIOAdapter
from storage.pace import Pace
from storage.settings import Settings
from storage.stores import Stores
from tests.raw_stores import raw_minio

ROOT = Path(__file__).parents[2]
COUNT = 40
#: Kills of a pass, the first of them right after something was kept.
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "1"))
DAMAGE = "SELECT kind, object_path FROM content_differences WHERE agent = %s ORDER BY 1, 2"


@pytest.fixture
def files(stores: Stores, agent_id: str) -> list[StoredFile]:
    """Objects with their rows, one of them empty and one of several pieces."""
    contents = [b"", b"large" * 2**19, *(b"object %d" % number for number in range(COUNT - 2))]
    files = [put(stores, agent_id, content) for content in contents]
    stores.postgres.store_rows(files=files)
    return files


def put(stores: Stores, agent_id: str, content: bytes) -> StoredFile:
    digest = sha256(content).hexdigest()
    path = object_path(agent_id, None, digest, ".bin")
    done = raw_minio(stores.settings).put_object(
        "binaries", path, io.BytesIO(content), len(content)
    )
    return StoredFile(
        agent_id=agent_id, bucket=Bucket.BINARIES, object_path=path, sha256=digest,
        content_type="application/octet-stream", size_bytes=len(content), etag=done.etag,
    )  # fmt: skip


class Watched(MinIOAdapter):
    """Counts what is read."""

    read: Counter[str]

    def content(self, bucket: Bucket | str, path: str) -> Any:
        """As it is, and counted."""
        self.read[path] += 1
        return super().content(bucket, path)


@pytest.fixture
def minio(stores: Stores) -> Watched:
    minio = Watched(settings=stores.settings)
    minio.read = Counter()
    return minio


def inventory(stores: Stores) -> None:
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())


def read(stores: Stores, minio: MinIOAdapter, scope: Scope) -> list[Pass]:
    store = DeepStore(stores.postgres)
    return [DeepReading(store, minio).read(one) for one in store.open(scope)]


def damage(stores: Stores, agent_id: str) -> list[tuple[str, str]]:
    with stores.postgres.connection() as connection:
        return connection.execute(DAMAGE, [agent_id]).fetchall()


def own(minio: Watched, agent_id: str) -> dict[str, int]:
    return {path: n for path, n in minio.read.items() if path.startswith(f"{agent_id}/")}


def test_a_pass_reads_every_object_once_and_finds_nothing_in_what_is_whole(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    (one,) = read(stores, minio, Scope())
    assert own(minio, agent_id) == {file.object_path: 1 for file in files}
    assert one.finished_at
    assert (one.objects, one.size_bytes) == (one.all_objects, one.all_bytes)
    assert damage(stores, agent_id) == []
    with stores.postgres.connection() as connection:
        assert connection.execute("SELECT FROM deep_objects").fetchall() == []


def test_in_t_subsets_every_object_is_read_once_also_when_new_ones_come(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    for part in range(1, 8):
        if part == 4:
            for number in range(10):
                put(stores, agent_id, b"new %d" % number)
            inventory(stores)
        (one,) = read(stores, minio, scope_of(subset=f"{part}/7"))
        assert one.scope == f"subset {part}/7"
    found = own(minio, agent_id)
    assert {path: found.get(path) for path in (file.object_path for file in files)} == {
        file.object_path: 1 for file in files
    }
    assert set(found.values()) == {1}


def test_the_next_subset_is_the_one_that_was_not_read_for_longest(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    scopes = [one.scope for _ in range(5) for one in read(stores, minio, scope_of(subset="next/3"))]
    assert scopes == [f"subset {part}/3" for part in (1, 2, 3, 1, 2)]
    cut_off = DeepStore(stores.postgres).open(scope_of(subset="1/3"))
    again = [one.scope for one in read(stores, minio, scope_of(subset="next/3"))]
    assert again == [cut_off[0].scope, "subset 3/3"]


def test_a_seed_chooses_the_same_sample(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    chosen = []
    for seed in (7, 7, 8):
        minio.read.clear()
        (one,) = read(stores, minio, scope_of(sample=9, seed=seed))
        assert one.objects == len(minio.read) == 9
        chosen.append(set(minio.read))
    assert chosen[0] == chosen[1] != chosen[2]


def test_damage_is_found_by_content_and_forgotten_when_it_is_mended(
    stores: Stores, stack: Stack, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    client = raw_minio(stores.settings)
    large, swapped, disk, named = files[1], files[2:4], files[4], files[5]
    for file, content in zip(swapped, (b"object 1", b"object 0"), strict=True):
        done = client.put_object("binaries", file.object_path, io.BytesIO(content), 8)
        change(stores, file, "etag", done.etag or "")
    data = stack.home / "stack/data/minio/binaries"
    (part,) = (data / large.object_path).glob("*/part.1")
    part.write_bytes(part.read_bytes()[: large.size_bytes // 2])
    meta = data / disk.object_path / "xl.meta"
    meta.write_bytes(meta.read_bytes().replace(b"object 2", b"objecT 2"))
    change(stores, named, "sha256", "b" * 64)
    inventory(stores)
    read(stores, minio, Scope())
    assert damage(stores, agent_id) == sorted(
        [("content differs", file.object_path) for file in (*swapped, named)]
        + [("unreadable", file.object_path) for file in (disk, large)]
    )
    # Mended: the row, an object put anew, and one that was moved into quarantine.
    change(stores, named, "sha256", named.sha256)
    client.put_object("binaries", disk.object_path, io.BytesIO(b"object 2"), 8)
    put(stores, agent_id, b"large" * 2**19)
    client.remove_object("binaries", swapped[0].object_path)
    time.sleep(1.1)  # a download tells whole seconds
    inventory(stores)
    assert damage(stores, agent_id) == [("content differs", swapped[1].object_path)]
    put(stores, agent_id, b"object 1")
    inventory(stores)
    read(stores, minio, Scope())
    assert damage(stores, agent_id) == []
    with stores.postgres.connection() as connection:
        kept = connection.execute(
            "SELECT object_path FROM object_readings WHERE starts_with(object_path, %s)", [agent_id]
        ).fetchall()
    assert kept in ([], [(swapped[0].object_path,)])


def change(stores: Stores, file: StoredFile, column: str, value: str) -> None:
    with stores.postgres.connection() as connection:
        connection.execute(
            f"UPDATE binary_file_metadata SET {column} = %s WHERE id = %s".encode(),
            [value, file.id],
        )


def test_what_is_deleted_meanwhile_is_no_finding(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    (planned,) = DeepStore(stores.postgres).open(Scope())
    raw_minio(stores.settings).remove_object("binaries", files[3].object_path)
    (one,) = read(stores, minio, Scope())
    assert one.id == planned.id
    assert one.objects == one.all_objects
    assert damage(stores, agent_id) == []


def test_a_name_that_is_deleted_goes_out_of_what_is_read_and_found(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    change(stores, files[2], "sha256", "b" * 64)
    inventory(stores)
    read(stores, minio, Scope())
    DeepStore(stores.postgres).open(Scope())
    Names(stores.postgres).forget(Bucket.BINARIES, [files[2].object_path])
    with stores.postgres.connection() as connection:
        for table in ("object_readings", "deep_objects"):
            found = f"SELECT FROM {table} WHERE object_path = %s"
            assert not connection.execute(found.encode(), [files[2].object_path]).fetchall()


def test_a_pass_that_was_killed_reads_the_rest_only(
    stores: Stores, minio: Watched, files: list[StoredFile], agent_id: str
) -> None:
    many = [put(stores, agent_id, b"more %d" % number) for number in range(400)]
    inventory(stores)
    for trial in range(TRIALS):
        minio.read.clear()
        killed(random.Random(trial).random() if trial else 0)
        (left,) = DeepStore(stores.postgres).open(Scope())
        # The first is killed for sure after something and before the end.
        assert trial or 0 < left.objects < left.all_objects
        (one,) = read(stores, minio, Scope())
        assert one.id == left.id
        assert one.objects == one.all_objects >= len(files) + len(many)
        # Not one that was kept is read again.
        assert sum(minio.read.values()) == left.all_objects - left.objects
        assert damage(stores, agent_id) == []


def killed(seconds: float) -> None:
    """Kill a deep check so long after it has kept something, or at once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.deep_reading"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert int(process.stdout.readline())
    time.sleep(seconds)
    process.kill()
    process.communicate()


def test_a_lost_reply_counts_nothing_twice(
    stores: Stores, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    store = DeepStore(stores.postgres)
    (one,) = store.open(Scope())
    targets = store.to_read(one.id, 10)
    readings = [storage.deep.reading._unreadable(target, "x") for target in targets]
    for _ in range(2):
        store.keep(one.id, readings)
    (again,) = store.open(Scope())
    assert again.objects == 10
    assert store.to_read(one.id, 10)[0] not in targets


def test_an_object_store_that_is_away_is_no_damage(
    stores: Stores, settings: Settings, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    away = MinIOAdapter(settings=settings.model_copy(update={"minio_endpoint": "127.0.0.1:9"}))
    with pytest.raises(StoreUnavailable):
        read(stores, away, Scope())
    with stores.postgres.connection() as connection:
        assert connection.execute("SELECT FROM object_readings").fetchall() == []


def test_objects_are_read_no_faster_than_wanted(
    stores: Stores, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    (one,) = DeepStore(stores.postgres).open(Scope())
    seconds = 1.5
    start = time.monotonic()
    read(stores, stores.minio.paced(Pace(one.all_bytes / seconds)), Scope())
    # The last bytes wait for nobody.
    assert time.monotonic() - start > seconds / 3


def test_only_one_reads_at_a_time(stores: Stores) -> None:
    store = DeepStore(stores.postgres)
    with store.only_run(), pytest.raises(QualityRunning, match="deep check"), store.only_run():
        pass


@pytest.mark.parametrize("text", ["0/30", "31/30", "3", "x/30", "3/0", "1/99999", "-1/3"])
def test_what_is_no_subset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="n/t"):
        scope_of(subset=text)


def test_a_sample_of_a_subset_is_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        scope_of(sample=3, subset="1/2")


def test_a_pass_that_nobody_goes_on_with_is_begun_anew(
    stores: Stores, files: list[StoredFile], agent_id: str
) -> None:
    inventory(stores)
    store = DeepStore(stores.postgres)
    (old,) = store.open(Scope())
    with stores.postgres.connection() as connection:
        connection.execute("UPDATE deep_passes SET began_at = now() - interval '40 days'")
    (new,) = store.open(Scope())
    assert new.id != old.id
    assert store.to_read(old.id, 1) == []
