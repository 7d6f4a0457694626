"""Checks of the data find what is planted, each by its name, and nothing where nothing is."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
import pytest
from bson.datetime_ms import DatetimeMS
from pydantic import SecretStr

from agentruns.models import AgentTask, Bucket, LogEntry, StoredFile, new_id, object_path
from apps.stack import Stack
from quality.check_files import all_checks
from quality.checking import faulty, passed, refuse_faulty, run_checks
from storage.deep import DeepReading, DeepStore, Scope
from storage.errors import CheckFaulty, QualityRunning, StoreUnavailable
from storage.inventory import InventoryStore, Listing, Snapshot
from storage.inventory.documents import DocumentListing
from storage.mongo.removing import DocumentRemover
from storage.mongo.told_tasks import FIRST_OF_TASKS, ToldTasks
from storage.stores import Stores
from tests.integration.quality_system import (
    IMPORTER,
    MUTATIONS,
    RECORDER,
    Damage,
    filled_stores,
    own_stack,
    record,
)
from tests.raw_stores import raw_minio, raw_mongo

NO_GRACE, HOUR = timedelta(), timedelta(hours=1)


@pytest.fixture(scope="module")
def stack(clean_environment: None, short_folders: Path) -> Iterator[Stack]:
    with own_stack(short_folders) as stack:
        yield stack


@pytest.fixture(scope="module")
def whole(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with filled_stores(stack, tmp_path_factory.mktemp("material")) as stores:
        yield stores


def checked(stores: Stores, folder: Path | None = None, grace: timedelta = NO_GRACE):
    store = InventoryStore(stores.postgres)
    compared(stores, Listing(store, stores.minio).take(grace))
    return asked(stores, folder)


def compared(stores: Stores, snapshot: Snapshot):
    with ToldTasks(stores.settings) as told:
        DocumentListing(stores.postgres, told).take(snapshot.id)
    deep = DeepStore(stores.postgres)
    for one in deep.open(Scope()):
        DeepReading(deep, stores.minio).read(one)


def asked(stores: Stores, folder: Path | None = None):
    return run_checks(stores.settings.required("postgres_url"), all_checks(folder))


def found(results):
    return {check.name: check.sample for check in results if not check.passed}


def test_nothing_is_found_in_a_whole_system(whole):
    results = checked(whole)
    assert found(results) == {}
    assert passed(results)
    assert {check.subject for check in results} >= {"tasks", "task_progress", "current_objects"}
    with whole.postgres.connection() as connection:
        counted = connection.execute("SELECT objects FROM newest_inventory").fetchall()
    objects = [one for bucket in Bucket for one in whole.minio.list(bucket)]
    assert counted == [(len(objects),)]
    assert len(objects) > 40


def test_what_is_on_its_way_is_no_finding(whole):
    store = InventoryStore(whole.postgres)
    snapshot = store.open(timedelta(hours=1))
    late = file_of("recorder-1", b"a row that came after the beginning")
    whole.postgres.store_rows(files=[late])
    path = object_path("recorder-1", None, "b" * 64, ".png")
    raw_minio(whole.settings).put_object("screenshots", path, io.BytesIO(b"x"), 1)
    taken = Listing(store, whole.minio).take(timedelta(hours=1))
    assert taken.id == snapshot.id
    try:
        assert found(asked(whole)) == {}
        names = {"missing object", "orphan object", "content against its name"}
        assert set(found(checked(whole))) == names
    finally:
        raw_minio(whole.settings).remove_object("screenshots", path)
        with whole.postgres.connection() as connection:
            connection.execute("DELETE FROM binary_file_metadata WHERE id = %s", [late.id])


def test_nothing_is_found_while_agents_write(whole, tmp_path):
    over, written = Event(), []

    def write():
        for number in count():
            record(tmp_path / f"spool-{number}", "busy-1", 2)
            written.append(number)
            if over.is_set():
                return

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            while len(written) < 2:
                assert found(checked(whole, grace=HOUR)) == {}
        finally:
            over.set()
        writing.result()
    assert found(checked(whole)) == {}


def test_a_log_whose_task_is_on_its_way_is_no_finding(whole):
    task = AgentTask(agent_id=RECORDER, title="late", status="in_progress")
    whole.mongo.write_log(LogEntry(agent_id=RECORDER, task_id=task.id, message="first"))
    assert found(checked(whole, grace=HOUR)) == {}
    assert set(found(checked(whole))) == {"unknown task in MongoDB"}
    whole.postgres.store_rows(tasks=[task])
    # Also without looking into MongoDB again.
    assert found(asked(whole)) == {}
    with whole.postgres.connection() as connection:
        connection.execute("DELETE FROM tasks WHERE id = %s", [task.id])
    with DocumentRemover(whole.settings) as remover:
        remover.remove_tasks(RECORDER, [task.id])
    assert found(checked(whole)) == {}
    with whole.postgres.connection() as connection:
        assert connection.execute("SELECT FROM document_differences").fetchall() == []


def test_tasks_are_found_with_one_seek_for_each(whole):
    with raw_mongo(whole.settings) as mongo:
        command = {"aggregate": "agent_logs", "pipeline": FIRST_OF_TASKS, "cursor": {}}
        plan = mongo[f"agent_{RECORDER}"].command("explain", command)
    assert "DISTINCT_SCAN" in str(plan)
    assert "'COLLSCAN'" not in str(plan)


def test_what_no_agent_of_ours_writes_is_told_and_breaks_nothing(whole):
    with raw_mongo(whole.settings) as mongo:
        logs = mongo["agent_strange-1"].agent_logs
        far = {"task_id": uuid4(), "created_at": DatetimeMS(2**62)}
        logs.insert_many([{"task_id": told} for told in ("a\0b", 7, {"$x": 1}, [1, 2], "x" * 5000)])
        logs.insert_many([far, {"created_at": "never"}])
        try:
            results = {check.name: check for check in checked(whole)}
        finally:
            mongo.drop_database("agent_strange-1")
    assert results["unknown task in MongoDB"].bad_rows == 6
    assert found(checked(whole)) == {}


def test_agents_are_looked_for_on_their_cluster_and_one_that_is_away_is_told(whole):
    first = whole.settings.required("mongodb_url")
    second = SecretStr(first + "&appname=second")
    several = whole.settings.model_copy(update={"mongodb_clusters": {"recorder-*": second}})
    with ToldTasks(several) as told:
        places = {place.agent_id: place.url for place in told.places()}
    assert places[RECORDER] == second.get_secret_value()
    assert places[IMPORTER] == first
    away = SecretStr("mongodb://nobody:secret@127.0.0.1:9/?authSource=admin")
    broken = whole.settings.model_copy(update={"mongodb_clusters": {"recorder-*": away}})
    with ToldTasks(broken) as told, pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9"):
        DocumentListing(whole.postgres, told).take(new_id())


def test_an_inventory_that_was_killed_goes_on_where_it_stood(whole):
    store = InventoryStore(whole.postgres)
    whole_count = Listing(store, whole.minio).take(NO_GRACE).objects
    cut_off = store.open(NO_GRACE)
    listing = Listing(store, whole.minio)
    listing._plan(cut_off.id)
    part, *_ = (one for one in store.parts_to_list(cut_off.id) if one.bucket == "screenshots")
    first = list(whole.minio.list(part.bucket, part.prefix))[:3]
    for _ in range(2):  # the reply to the first was lost
        store.keep(cut_off.id, part, first, is_done=False)
    taken = Listing(store, whole.minio).take(NO_GRACE)
    assert (taken.id, taken.objects) == (cut_off.id, whole_count)


def test_more_objects_than_a_page_are_all_listed(whole):
    client = raw_minio(whole.settings)
    paths = [f"many/{'0' * 8}-0000-0000-0000-{'0' * 12}/{number:064x}" for number in range(1001)]
    for path in paths:
        client.put_object("binaries", path, io.BytesIO(b"x"), 1)
    try:
        results = {check.name: check for check in checked(whole)}
        assert results["orphan object"].bad_rows == 1001
        assert len(results["orphan object"].sample) == 20
    finally:
        for path in paths:
            client.remove_object("binaries", path)


def test_old_inventories_go(whole):
    for _ in range(3):
        InventoryStore(whole.postgres)
        checked_twice = Listing(InventoryStore(whole.postgres), whole.minio).take(NO_GRACE)
    with whole.postgres.connection() as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM inventory_snapshots),"
            " (SELECT count(DISTINCT snapshot_id) FROM object_inventory)"
        ).fetchall()
    assert counts == [(2, 2)]
    assert checked_twice.finished_at


def test_only_one_checks_at_a_time(whole):
    store = InventoryStore(whole.postgres)
    with (
        store.only_run(),
        pytest.raises(QualityRunning, match="Another check"),
        InventoryStore(whole.postgres).only_run(),
    ):
        pass


OWN = """-- name: finished in vain
-- table: tasks
-- severity: warning
-- message: The task ended, and its title is "task 11".
SELECT id, '{"brace": ":name"}'::jsonb ->> 'brace' AS told, title LIKE '%11' AS twelfth
FROM tasks
WHERE title = 'task 11' -- only one agent has so many
"""


def test_a_check_of_ones_own_is_asked_with_ours(whole, tmp_path):
    (tmp_path / "vain.sql").write_text(OWN)
    results = checked(whole, tmp_path)
    (own,) = (check for check in results if not check.passed)
    assert (own.name, own.severity, own.bad_rows) == ("finished in vain", "warning", 1)
    assert own.sample[0]["told"] == ":name"
    assert own.sample[0]["twelfth"] is True
    # A warning does not close the gate.
    assert passed(results)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT nothing FROM tasks", 'column "nothing" does not exist'),
        ("SELECT pg_sleep(10)", "statement timeout"),
        ("WITH gone AS (DELETE FROM tasks RETURNING id) SELECT id FROM gone", "data-modifying"),
        ("SELECT disable_agent('recorder-1')", "read-only transaction"),
    ],
)
def test_a_check_that_cannot_be_asked_is_no_bad_data(whole, tmp_path, monkeypatch, sql, fault):
    monkeypatch.setattr("quality.checking.STATEMENT_SECONDS", 0.5)
    head, _, _ = OWN.partition("SELECT")
    (tmp_path / "broken.sql").write_text(head + sql)
    results = asked(whole, tmp_path)
    (broken,) = faulty(results)
    assert (broken.name, broken.passed, broken.bad_rows) == ("finished in vain", False, None)
    assert fault in (broken.fault or "")
    assert not passed(results)
    with pytest.raises(CheckFaulty, match="finished in vain"):
        refuse_faulty(results)


def test_no_check_opens_the_door_for_the_next_one(whole, tmp_path):
    head, _, _ = OWN.partition("SELECT")
    opens = "SELECT set_config('default_transaction_read_only', 'off', false)"
    (tmp_path / "a.sql").write_text(head + opens)
    writes = head.replace("in vain", "for good") + "SELECT disable_agent('recorder-1')"
    (tmp_path / "b.sql").write_text(writes)
    results = asked(whole, tmp_path)
    assert [check.name for check in faulty(results)] == ["finished for good"]


def test_a_check_of_a_table_that_is_not_there_is_told_as_such(whole, tmp_path):
    (tmp_path / "elsewhere.sql").write_text(OWN.replace("table: tasks", "table: nowhere"))
    results = asked(whole, tmp_path)
    assert {check.fault for check in faulty(results)} == {
        "there is no table nowhere that can be read"
    }


def test_a_database_that_is_away_is_no_fault_of_a_check():
    with pytest.raises(StoreUnavailable):
        run_checks("postgresql://nobody:secret@127.0.0.1:9/none", all_checks())


@pytest.fixture(scope="module")
def damaged(whole, stack):
    """All kinds of damage in one system, what each check has to name, and what was found."""
    with (
        psycopg.connect(stack.environment()["POSTGRES_OWNER_URL"]) as owner,
        raw_mongo(whole.settings) as mongo,
    ):
        disk = stack.home / "stack" / "data" / "minio"
        damage = Damage(owner, raw_minio(whole.settings), mongo, disk)
        damage.unlock()
        planted = {what: plant(damage) for what, (_, plant) in MUTATIONS.items()}
    return planted, {check.name: check for check in checked(whole)}


@pytest.mark.parametrize("what", MUTATIONS)
def test_planted_damage_is_found_by_name(damaged, what):
    planted, results = damaged
    check = results[MUTATIONS[what][0]]
    assert check.fault is None
    assert not check.passed
    assert planted[what] in {str(value) for row in check.sample for value in row.values()}


def test_every_check_of_ours_has_damage_that_it_finds(damaged):
    _, results = damaged
    assert {check.name for check in all_checks()} == {name for name, _ in MUTATIONS.values()}
    assert not passed(list(results.values()))
    assert faulty(list(results.values())) == []


def file_of(agent_id, content):
    return StoredFile(
        agent_id=agent_id,
        bucket=Bucket.SCREENSHOTS,
        object_path=object_path(agent_id, None, "a" * 64, ".png"),
        content_type="image/png",
        size_bytes=len(content),
        sha256="a" * 64,
    )
