"""Repair mends what can be mended, explains the rest, and changes nothing that was good."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from agentruns.models import Bucket
from apps.stack import Stack
from quality.check_files import all_checks
from quality.checking import run_checks
from quality.for_a_person import advice_on
from storage.deep import DeepReading, DeepStore, Scope
from storage.inventory import InventoryStore, Listing
from storage.inventory.documents import DocumentListing
from storage.minio.buckets import QUARANTINE
from storage.minio.clients import client
from storage.mongo.told_tasks import ToldTasks
from storage.repair import Repairing
from storage.stores import Stores
from tests.integration.quality_system import MUTATIONS, Damage, filled_stores, own_stack
from tests.raw_stores import raw_minio, raw_mongo

FILES = "binary_file_metadata"
TABLES = ("tasks", "task_progress", "evaluations", FILES)
#: Of a task that has news; of a row, when it came.
CLOCKS = {"evidence_at", "updated_at", "stored_at"}


@pytest.fixture(scope="module")
def stack(clean_environment: None, short_folders: Path) -> Iterator[Stack]:
    with own_stack(short_folders) as stack:
        yield stack


@pytest.fixture(scope="module")
def stores(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with filled_stores(stack, tmp_path_factory.mktemp("material")) as stores:
        yield stores


def repaired(stores: Stores, *, apply: bool = True, spool: Path | None = None):
    """What was planned, and done."""
    snapshot = Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
    repairing = Repairing(stores, spool)
    repair = repairing.open(snapshot.id, None, apply=apply)
    repairing.plan(repair.id)
    if apply:
        repairing.apply(repair.id)
    return repairing.store.page(repair.id, 1000)


def checked(stores: Stores):
    snapshot = Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
    with ToldTasks(stores.settings) as told:
        DocumentListing(stores.postgres, told).take(snapshot.id)
    deep = DeepStore(stores.postgres)
    for one in deep.open(Scope()):
        DeepReading(deep, stores.minio).read(one)
    results = run_checks(stores.settings.required("postgres_url"), all_checks())
    return {check.name: check for check in results if not check.passed}


#: Damage of which only a person knows what was there before.
EXPLAINED = {
    *("a file that is known to be lost", "an object in quarantine", "a file uploaded next year"),
    *("a status that does not exist", "no title", "an end before the start"),
    *("an end that nobody knows", "a pending task that has ended", "a task made next year"),
    *("200 percent", "step minus one", "a step of no task", "a step before its task"),
    *("a step next year", "a score of 85", "a verdict of nobody", "a verdict on no task"),
    *("a verdict before its task", "a verdict that was given twice"),
    *("the progress of a task is deleted", "a screenshot before its task"),
    *("a screenshot after its task", "a log of no task", "a log of what is no task"),
    *("a log of another agent's task", "a log before its task", "a migration that was cut off"),
    *("a migration that nobody goes on with", "a deletion that nobody ends"),
    *("another content that the whole row knows", "a byte on the server's disk is flipped"),
}
OVERWRITTEN = "another content that the row knows by its ETag"
#: Damage of rows that is gone afterwards.
MENDED_ROWS = {
    *("a row tells another size", "a row tells another ETag", "a row names the other bucket"),
    *("a row's path is another agent's", "a row's path is another task's"),
    *("a row's path is another content's", "a row's hash is none", "no size"),
    *("a row names a bucket of somebody else", "a size below zero", "a file of no task"),
    *(
        "a picture that is told to be a page",
        "a lost file that is there",
        "a file of another agent",
    ),
    *("a file that hides from the comparison", "a task of nobody", "a step of another agent"),
    *("a verdict for another agent",),
}


class Seen:
    """Every row and every object, as they are."""

    def __init__(self, stores: Stores) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        with stores.postgres.connection() as connection:
            for table in TABLES:
                found = connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t".encode())
                self.rows |= {(table, row["id"]): row for (row,) in found.fetchall()}
        opened = client(stores.settings)
        self.objects = {
            (bucket, info.object_name): _content(opened, bucket, str(info.object_name))
            for bucket in (*map(str, Bucket), QUARANTINE)
            for info in opened.list_objects(bucket, recursive=True)
        }


def _content(opened: Minio, bucket: str, path: str) -> bytes | None:
    try:
        return opened.get_object(bucket, path).read()
    except (MinioException, HTTPError):
        return None  # a disk is damaged


def without_clocks(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in CLOCKS}


@pytest.fixture(scope="module")
def history(stores, stack):
    """What there was before the damage, with it, after the repair; and what was planned."""
    before = Seen(stores)
    with (
        psycopg.connect(stack.environment()["POSTGRES_OWNER_URL"]) as owner,
        raw_mongo(stores.settings) as mongo,
    ):
        disk = stack.home / "stack" / "data" / "minio"
        damage = Damage(owner, raw_minio(stores.settings), mongo, disk)
        damage.unlock()
        planted = {what: plant(damage) for what, (_, plant) in MUTATIONS.items()}
    checked(stores)
    damaged = Seen(stores)
    planned = repaired(stores, apply=False)
    assert Seen(stores).__dict__ == damaged.__dict__  # a plan changes nothing
    done = repaired(stores)
    return before, damaged, Seen(stores), planned, done, planted


def test_nothing_that_was_good_is_changed(history):
    before, damaged, after, *_ = history
    good = [key for key, row in damaged.rows.items() if row == before.rows.get(key)]
    assert len(good) > 200
    lost = set(_without_object(before, damaged))
    for key in good:
        now = without_clocks(after.rows[key])
        # That its object is lost is all that is told of a row.
        now |= {"missing_since": None} if key in lost else {}
        assert now == without_clocks(before.rows[key])
    for place, content in before.objects.items():
        if damaged.objects.get(place) == content:
            assert after.objects[place] == content


def _without_object(before, damaged):
    """The rows whose objects were damaged or taken away."""
    for key, row in before.rows.items():
        if key[0] == FILES:
            place = (row["bucket"], row["object_path"])
            if damaged.objects.get(place) != before.objects[place]:
                yield key


def test_what_is_mended_is_as_it_was_before_the_damage(history):
    before, damaged, after, *_, planted = history
    mended = {key for key, row in damaged.rows.items() if row != after.rows[key]}
    # Its size and its ETag are those of other bytes, and its own are lost.
    mended.discard((FILES, planted[OVERWRITTEN]))
    for key in mended & before.rows.keys():
        now, then = without_clocks(after.rows[key]), without_clocks(before.rows[key])
        # A row whose object is back was marked by the damage, one whose object is lost by us.
        assert now | {"missing_since": None} == then | {"missing_since": None}
    # The row that was deleted has its id from the object's tags.
    gone = {key for key in before.rows.keys() - damaged.rows.keys() if key[0] == FILES}
    assert len(gone) == 1
    assert gone <= after.rows.keys()
    assert {key[1] for key in mended} >= {planted[what] for what in MENDED_ROWS}


def test_every_kind_is_mended_or_explained(history, stores):
    *_, planted = history
    found = checked(stores)
    for what, (check, _) in MUTATIONS.items():
        named = (
            {str(value) for row in found[check].sample for value in row.values()}
            if check in found
            else set()
        )
        assert (what in EXPLAINED) == (planted[what] in named), what
    errors = {check.name for check in found.values() if check.severity == "error"}
    assert errors <= {MUTATIONS[what][0] for what in EXPLAINED} | {"path of another content"}
    assert all(advice_on(name) for name in found)


def test_no_byte_is_lost(history):
    _, damaged, after, *_ = history
    assert set(damaged.objects.values()) <= set(after.objects.values())
    assert damaged.rows.keys() <= after.rows.keys()


def test_the_plan_is_what_is_done(history):
    *_, planned, done, _ = history
    told = lambda actions: {(a.kind, a.record, a.row_id, a.object_path) for a in actions}  # noqa: E731
    assert told(planned) == told(done)
    assert {action.outcome for action in planned} == {None}
    for action in done:
        assert action.outcome == (None if action.kind == "for a person" else "done"), action
