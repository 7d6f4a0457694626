"""A bucket whose names and answers are attacks: told, set aside, and never let out of scratch."""

import itertools
import tempfile

import pytest

from storage.errors import StorageError
from storage.migration import MigrationStore
from storage.migration.copying import Copying
from storage.migration.cutover import cut_over
from storage.migration.models import START
from storage.stores import Stores
from tests.hostile_buckets import hostile_bucket

EVIL = {
    "../escape.txt": "'..'",
    "../../../../../../../../escape.txt": "'..'",
    "a/../../escape.txt": "'..'",
    "a/./b.txt": "'..'",
    "/etc/escape.txt": "begins with a slash",
    "/": "begins with a slash",
    "a//b.txt": "two slashes",
    "folder with data/": "ends with a slash",
    "both": "also the beginning",
    "deep/both": "also the beginning",
    "n\0l.txt": "NUL",
    f"{'x' * 256}.txt": "more than 255 bytes",
    f"{'y/' * 300}z.txt": "more than 200 parts",
    f"{'long/' * 250}z.txt": "longer than the 1,024 bytes",
}
GOOD = {
    "good.txt": b"good",
    "both/inside.txt": b"good",
    "deep/both/a/b.txt": b"good",
    "a\\..\\b.txt": b"good",
    "..a/...txt": b"good",
    "new\nline \u202e.txt": b"good",
    "-rf": b"good",
}


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "a" / "b" / "scratch"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def stores(settings):
    with Stores(settings) as stores:
        yield stores


def copied(stores, migration):
    store = MigrationStore(stores.postgres)
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    return Copying(store, stores.writer).copy(migration, ids)


def test_names_that_are_no_paths_are_in_quarantine_and_on_no_disk(
    stores, agent_id, scratch, tmp_path, monkeypatch
):
    objects = {f"runs/{name}": b"evil" for name in EVIL}
    objects |= {f"runs/{name}": data for name, data in GOOD.items()}
    objects |= {"runs/": b"", "runs/marker/": b""}
    store = MigrationStore(stores.postgres)
    with hostile_bucket(monkeypatch, objects):
        migration = store.open("s3://evil/runs", agent_id)
        store.take_inventory(migration)
        done = copied(stores, migration)
        summary = store.summary(migration.id)
        assert sum(summary.files.values()) == len(objects)
        assert (summary.files["quarantined"], summary.files["ignored"]) == (len(EVIL), 2)
        assert (done.quarantined, done.postponed) == (len(EVIL), 0)
        assert summary.files["archived"] == len(GOOD)
        told = {entry.path.decode(): entry.reason for entry in store.quarantine(migration.id)}
        assert told.keys() == {f"{name}/" for name in EVIL}
        for name, reason in EVIL.items():
            assert reason in told[f"{name}/"], name
        refused = cut_over(store, migration.id, "me", [])
        assert any("quarantine" in reason for reason in refused.reasons)
        accepted = [f"{name}/" for name in EVIL]
        assert cut_over(store, migration.id, "me", accepted).reasons != []  # not verified
    assert list(scratch.glob("*/*")) == []
    assert list(tmp_path.rglob("*escape*")) == []


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(lambda names: sorted(names, reverse=True), id="backwards"),
        pytest.param(lambda names: sorted(names) * 2, id="twice"),
        pytest.param(lambda names: ["elsewhere/x.txt", *sorted(names)], id="beyond the prefix"),
    ],
)
def test_a_list_that_no_bucket_has_is_refused(stores, agent_id, scratch, monkeypatch, order):
    objects = {"runs/a.txt": b"x", "runs/b.txt": b"x", "elsewhere/x.txt": b"x"}
    store = MigrationStore(stores.postgres)
    with hostile_bucket(monkeypatch, objects) as server:
        server.order = lambda names: order([name for name in names if name.startswith("runs/")])
        with pytest.raises(StorageError, match="cannot be a source"):
            store.take_inventory(store.open("s3://evil/runs", agent_id))
    assert list(scratch.glob("*/*")) == []


def test_a_list_without_an_end_is_refused(stores, agent_id, scratch, monkeypatch):
    objects = {f"runs/{n:04d}": b"x" for n in range(1000)}
    store = MigrationStore(stores.postgres)
    with hostile_bucket(monkeypatch, objects) as server:
        server.minds_the_place = False
        with pytest.raises(StorageError, match="cannot be a source"):
            store.take_inventory(store.open("s3://evil/runs", agent_id))


def test_a_list_that_says_there_is_more_and_not_where_is_refused(
    stores, agent_id, scratch, monkeypatch
):
    objects = {f"runs/{n:04d}": b"x" for n in range(1000)}
    store = MigrationStore(stores.postgres)
    with hostile_bucket(monkeypatch, objects) as server:
        server.tells_where_more_is = False
        with pytest.raises(StorageError, match="is not an S3 server"):
            store.take_inventory(store.open("s3://evil/runs", agent_id))


@pytest.mark.parametrize("more", [0, 3 * 2**20])
def test_an_object_that_is_another_with_each_reading_is_set_aside(
    stores, agent_id, scratch, monkeypatch, more
):
    count = itertools.count()
    store = MigrationStore(stores.postgres)
    with hostile_bucket(monkeypatch, {"runs/x.txt": b"000000"}) as server:
        migration = store.open("s3://evil/runs", agent_id)
        store.take_inventory(migration)
        server.served = lambda _: b"%06d" % next(count) + b"." * more
        done = copied(stores, migration)
        assert (done.archived, done.postponed) == (0, 1)
        (item,) = store.items([store.items_to_copy(migration.id, START, 1)[0][0].id])
        assert "changed while they were read" in item.reason
    assert list(scratch.glob("*/*")) == []
