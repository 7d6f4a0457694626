"""Workers share a migration's items through PostgreSQL, without Prefect."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from agentruns.models import new_id
from storage.deletion import Deleting
from storage.errors import MigrationRunning, SettingsError
from storage.migration import MigrationStore
from storage.migration.claims import Claims, Room
from storage.migration.copying import Copying
from storage.migration.models import START
from storage.migration.seeing import check_source
from storage.migration.steps import Steps

RUNS = Path(__file__).parents[2] / "examples" / "runs"
#: Of Prefect.
RUN = uuid4()
ALL = Room(100, 10_000, 10**9)


@pytest.fixture
def source(tmp_path):
    """Folders of loose files: an item each."""
    for number in range(6):
        folder = tmp_path / "old" / f"notes {number}"
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text(f"Note {number}\n" * 100)
    return tmp_path / "old"


@pytest.fixture
def store(stores):
    return MigrationStore(stores.postgres)


@pytest.fixture
def migration(store, source, agent_id):
    migration = store.open(source, agent_id, "UTC")
    store.take_inventory(migration)
    return migration


@pytest.fixture
def leader(stores, migration):
    claims = Claims(stores.postgres, migration.id, new_id())
    with claims.leading():
        Steps(stores.postgres).begin(migration.id, "copy")
        yield claims


@pytest.fixture
def helper(stores, migration, leader):
    claims = Claims(stores.postgres, migration.id, new_id())
    with claims.helping(leader.worker, flow_run_id=RUN):
        yield claims


def ids(found):
    return [key.id for key, _, _ in found]


def test_each_item_is_claimed_by_one_worker(leader, helper):
    some = leader.claim(START, Room(4, 10_000, 10**9))
    rest = helper.claim(START, ALL)
    assert (len(some), len(rest)) == (4, 2)
    assert not set(ids(some)) & set(ids(rest))
    assert leader.claim(START, ALL) == []
    assert leader.is_anything_left()


@pytest.mark.parametrize("room", [Room(100, 2, 10**9), Room(100, 10_000, 1001)])
def test_no_more_files_and_bytes_are_claimed_than_there_is_room_for(leader, room):
    assert len(leader.claim(START, room)) == 2


def test_an_item_larger_than_the_room_is_claimed_alone(leader):
    assert len(leader.claim(START, Room(100, 1, 1))) == 1


def test_what_was_tried_and_still_waits_is_not_tried_again_before_the_next_step(
    stores, migration, leader
):
    tried = ids(leader.claim(START, ALL))
    leader.release(tried)
    assert leader.claim(START, ALL) == []
    assert not leader.is_anything_left()
    Steps(stores.postgres).begin(migration.id, "copy")
    assert leader.is_anything_left()
    assert ids(leader.claim(START, ALL)) == tried


def test_the_run_hears_of_what_changed_while_another_worker_read_it(
    stores, store, migration, source, leader, helper
):
    tried = ids(helper.claim(START, ALL))
    (source / "notes 3" / "note.txt").write_text("An agent writes.\n")
    assert not leader.is_anything_postponed()
    Copying(store, stores.writer).copy(migration, tried)
    helper.release(tried)
    assert not leader.is_anything_left()
    assert leader.is_anything_postponed()


def test_what_a_lost_reply_claimed_can_be_claimed_again(leader):
    lost = ids(leader.claim(START, ALL))
    leader.free()
    assert ids(leader.claim(START, ALL)) == lost


def test_a_silent_worker_holds_nothing(stores, leader, helper):
    held = ids(helper.claim(START, ALL))
    with stores.postgres.connection() as connection:
        connection.execute(
            "UPDATE migration_workers SET seen_at = now() - interval '1 minute' WHERE id = %s",
            [helper.worker],
        )
    assert ids(leader.claim(START, ALL)) == held


def test_a_worker_whose_run_is_over_holds_nothing_and_is_not_wanted(leader, helper):
    held = ids(helper.claim(START, ALL))
    assert helper.is_wanted()
    leader.forget_runs([uuid4(), RUN])
    assert not helper.is_wanted()
    assert ids(leader.claim(START, ALL)) == held


def test_a_run_whose_migration_another_holds_is_helped_by_nobody_and_does_not_end_well(
    stores, migration
):
    leader, helper, next_one = (Claims(stores.postgres, migration.id, new_id()) for _ in range(3))
    ended = ExitStack()
    ended.enter_context(leader.leading())
    with helper.helping(leader.worker, flow_run_id=RUN), next_one.leading():
        assert not helper.is_wanted()
        assert not leader.is_wanted()
    with pytest.raises(MigrationRunning, match="does what is left"):
        ended.close()


def test_nothing_is_deleted_while_somebody_still_helps_a_killed_run(
    settings, stores, migration, agent_id
):
    with (
        Deleting(settings) as deleting,
        Claims(stores.postgres, migration.id, new_id()).helping(uuid4(), None),
        pytest.raises(MigrationRunning, match="is at work and holds"),
    ):
        deleting.delete_agent(agent_id)


def test_nobody_helps_while_it_is_being_deleted(stores, migration):
    with ExitStack() as later:
        connection = later.enter_context(stores.postgres.connection())
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('agentruns migration help'), hashtext(%s))",
            [str(migration.id)],
        )
        helping = Claims(stores.postgres, migration.id, new_id()).helping(uuid4(), None)
        with pytest.raises(MigrationRunning, match="being deleted"):
            later.enter_context(helping)


def test_a_machine_that_sees_the_source_may_help(store, migration, source):
    (source / "notes 0" / "note.txt").write_text("An agent wrote meanwhile.\n")
    check_source(store, migration)


def test_a_machine_without_the_source_is_refused(store, migration, source):
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(SettingsError, match="is no folder"):
        check_source(store, migration)


def test_a_machine_with_another_folder_of_that_name_is_refused(store, migration, source):
    shutil.rmtree(source)
    shutil.copytree(RUNS, source)
    with pytest.raises(SettingsError, match="than the inventory listed: 5 of 5 files"):
        check_source(store, migration)


def test_a_machine_with_a_copy_that_is_not_done_is_refused(store, migration, source):
    for folder in sorted(source.iterdir())[2:]:
        shutil.rmtree(folder)
    with pytest.raises(SettingsError, match="3 of 5 files"):
        check_source(store, migration)


def test_a_source_of_which_nothing_waits_may_be_empty(stores, store, migration, source):
    Copying(store, stores.writer).copy(migration, ids(store.items_to_copy(migration.id, START, 9)))
    shutil.rmtree(source)
    source.mkdir()
    check_source(store, migration)
