"""What a repair does where bytes still lie somewhere, and where things change under its hands."""

import shutil
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agentruns import Recorder
from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from storage.access import AuditLog
from storage.deletion import Deleting
from storage.errors import RepairRunning, TooMuchAside
from storage.inventory import InventoryStore, Listing
from storage.migration import MigrationStore
from storage.migration import models as migration
from storage.migration.copying import Copying
from storage.minio import buckets
from storage.repair import PlannedAction, Repair, Repairing, RepairStore
from storage.settings import Settings
from storage.stores import Stores
from tests.integration.quality_system import PICTURES, RUNS
from tests.kept import NOTHING, PNG, kept, picture
from tests.raw_stores import raw_minio


class Repaired:
    """Plans and does repairs of what is one agent's."""

    def __init__(self, stores: Stores, agent_id: str) -> None:
        self.stores, self.agent_id = stores, agent_id

    def plan(self, spool: Path | None = None) -> tuple[Repairing, Repair]:
        """A plan as of now, with an empty spool unless one is named."""
        taken = Listing(InventoryStore(self.stores.postgres), self.stores.minio).take(timedelta())
        repairing = Repairing(self.stores, spool or Path("/nowhere"))
        repair = repairing.open(taken.id, self.agent_id, apply=True)
        repairing.plan(repair.id)
        return repairing, repair

    def apply(self, spool: Path | None = None) -> list[PlannedAction]:
        """A whole repair; gives what came of it."""
        repairing, repair = self.plan(spool)
        return done(repairing, repair)


def done(repairing: Repairing, repair: Repair) -> list[PlannedAction]:
    repairing.apply(repair.id)
    return repairing.store.page(repair.id, 1000)


def told(actions: list[PlannedAction]) -> list[tuple[str, str | None]]:
    return [(action.kind, action.outcome) for action in actions]


@pytest.fixture
def repairs(stores: Stores, agent_id: str) -> Repaired:
    return Repaired(stores, agent_id)


@pytest.fixture
def task(stores: Stores, agent_id: str) -> AgentTask:
    task = AgentTask(agent_id=agent_id, title="a task", status="completed")
    stores.postgres.store_rows(tasks=[task])
    return task


def stored(stores: Stores, task: AgentTask, content: bytes) -> StoredFile:
    upload = picture(task, content)
    assert stores.writer.write([upload]).rejected == ()
    return upload.file


def row(stores: Stores, file: StoredFile) -> dict[str, Any]:
    with stores.postgres.connection() as connection:
        found = connection.execute(
            "SELECT to_jsonb(f) FROM binary_file_metadata AS f WHERE id = %s", [file.id]
        ).fetchall()
    return dict(found[0][0]) if found else {}


def remove(stores: Stores, file: StoredFile) -> None:
    stores.minio.delete(file.bucket, file.object_path)


def put(stores: Stores, path: str, content: bytes, bucket: str = "screenshots") -> None:
    raw_minio(stores.settings).put_object(bucket, path, BytesIO(content), len(content))


# Bytes that still lie somewhere


def test_a_lost_file_comes_back_from_the_spool_of_its_agent_only(
    stores: Stores, repairs: Repaired, task: AgentTask, agent_id: str, tmp_path: Path
) -> None:
    content = PICTURES[0].read_bytes()
    lost, stranger = stored(stores, task, content), f"{agent_id}x"
    remove(stores, lost)
    for number, who in enumerate((stranger, agent_id)):
        recorder = Recorder(who, spool=tmp_path / who, deliver=False)
        with recorder.run("a task") as run:
            run.screenshot(PICTURES[0])
        recorder.close()
        actions = told(repairs.apply(tmp_path / who))
        # Another agent's spool has the same bytes, and they are not this agent's.
        assert actions == [[("mark missing", "done")], [("restore", "done")]][number]
    assert stores.minio.download("screenshots", lost.object_path) == content
    assert row(stores, lost)["missing_since"] is None
    assert repairs.apply() == []


@pytest.mark.slow
def test_a_lost_file_comes_back_from_the_source_that_it_was_imported_from(
    stores: Stores, repairs: Repaired, agent_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "runs"
    shutil.copytree(RUNS, source)
    store = MigrationStore(stores.postgres)
    opened = store.open(source, agent_id, "UTC")
    store.take_inventory(opened)
    ids = [key.id for key, _, _ in store.items_to_copy(opened.id, migration.START, 1000)]
    Copying(store, stores.writer).copy(opened, ids)
    first, second = stores.postgres.get_binary_files("screenshots", agent_id=agent_id, limit=2)
    before = kept(stores.settings, agent_id)
    for file in (first, second):
        remove(stores, file)
    for changed in source.rglob("*.png"):
        if changed.read_bytes() == before["objects"][f"screenshots/{second.object_path}"]:
            changed.write_bytes(PNG + b"other bytes by now")
    actions = repairs.apply()
    assert ("restore", "done") in told(actions)
    assert ("mark missing", "done") in told(actions)
    after = kept(stores.settings, agent_id)["objects"]
    del before["objects"][f"screenshots/{second.object_path}"]
    assert after == before["objects"]


# What nobody may have registered


def test_an_object_of_no_task_is_left_and_one_of_no_agent_is_taken_aside(
    settings: Settings, stores: Stores, repairs: Repaired, task: AgentTask, agent_id: str
) -> None:
    content = PNG + b"of a task that is still in a spool"
    sha256 = picture(task, content).file.sha256
    to_come = object_path(agent_id, uuid4(), sha256, ".png")
    put(stores, to_come, content)
    stranger = Repaired(stores, f"{agent_id}y")
    of_nobody = object_path(stranger.agent_id, None, sha256, ".png")
    put(stores, of_nobody, content)

    assert told(repairs.apply()) == [("for a person", None)]
    assert stores.minio.download("screenshots", to_come) == content
    assert told(stranger.apply()) == [("quarantine", "done")]
    assert kept(settings, stranger.agent_id)["objects"] == {}
    (aside,) = raw_minio(settings).list_objects(
        buckets.QUARANTINE, stranger.agent_id, recursive=True
    )
    assert raw_minio(settings).get_object(buckets.QUARANTINE, aside.object_name).read() == content


def test_what_was_deleted_for_good_is_not_brought_back(
    settings: Settings, stores: Stores, repairs: Repaired, task: AgentTask, agent_id: str
) -> None:
    file = stored(stores, task, PNG + b"deleted")
    damaged = stored(stores, task, PNG + b"damaged")
    put(stores, damaged.object_path, b"other bytes")
    assert [kind for kind, _ in told(repairs.apply())] == ["quarantine", "mark missing"]
    with Deleting(settings) as deleting:
        done = deleting.delete_task(task.id)
    assert done.verified
    assert done.deleted["minio"] == {"screenshots": 1, "quarantine": 1}
    assert kept(settings, agent_id) == NOTHING
    assert list(raw_minio(settings).list_objects(buckets.QUARANTINE, agent_id)) == []
    put(stores, file.object_path, PNG + b"deleted")  # late, from a spool
    assert repairs.apply() == []
    assert row(stores, file) == {}


# What changes between plan and repair


def test_an_object_that_came_back_is_not_marked_and_a_mark_goes(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    content = PNG + b"away for a while"
    file = stored(stores, task, content)
    remove(stores, file)
    repairing, repair = repairs.plan()
    put(stores, file.object_path, content)
    before = row(stores, file)
    assert told(done(repairing, repair)) == [("mark missing", "changed")]
    assert row(stores, file) == before
    remove(stores, file)
    assert told(repairs.apply()) == [("mark missing", "done")]
    put(stores, file.object_path, content)
    assert told(repairs.apply()) == [("mend row", "done")]
    assert row(stores, file) == before


def test_good_bytes_that_came_meanwhile_are_not_taken_aside(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    content = PNG + b"good"
    file = stored(stores, task, content)
    put(stores, file.object_path, b"damaged")
    repairing, repair = repairs.plan()
    put(stores, file.object_path, content)
    before = row(stores, file)
    assert {outcome for _, outcome in told(done(repairing, repair))} == {"changed"}
    assert row(stores, file) == before
    assert stores.minio.download("screenshots", file.object_path) == content


def test_a_row_that_came_meanwhile_is_not_registered_twice(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    upload = picture(task, PNG + b"late row")
    stores.minio.put(upload)
    repairing, repair = repairs.plan()
    stores.postgres.store_rows(files=[upload.file])
    done(repairing, repair)
    assert [file.id for file in stores.postgres.get_binary_files(task_id=task.id)] == [
        upload.file.id
    ]


def test_an_object_in_another_place_is_not_taken_aside_from_the_row_that_names_it_by_now(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    content = PNG + b"in both buckets"
    upload = picture(task, content)
    assert stores.writer.write([upload]).rejected == ()
    remove(stores, upload.file)
    put(stores, upload.file.object_path, content, "binaries")
    repairing, repair = repairs.plan()
    theirs = upload.file.model_copy(update={"id": uuid4(), "bucket": Bucket.BINARIES})
    stores.postgres.store_rows(files=[theirs])
    assert ("quarantine", "changed") in told(done(repairing, repair))
    assert stores.minio.download("binaries", theirs.object_path) == content


def test_bytes_that_left_the_spool_meanwhile_keep_no_other_file_from_being_repaired(
    stores: Stores, repairs: Repaired, task: AgentTask, agent_id: str, tmp_path: Path
) -> None:
    for lost in [stored(stores, task, PICTURES[n].read_bytes()) for n in (0, 1)]:
        remove(stores, lost)
    recorder = Recorder(agent_id, spool=tmp_path / "spool", deliver=False)
    with recorder.run("a task") as run:
        run.screenshot(PICTURES[0])
    recorder.close()
    repairing, repair = repairs.plan(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    assert told(done(repairing, repair)) == [("restore", "failed"), ("mark missing", "done")]


def test_a_row_that_changed_meanwhile_is_left_as_it_is(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    file = stored(stores, task, PNG + b"changed")
    change(stores, file, "size_bytes = 7")
    repairing, repair = repairs.plan()
    change(stores, file, 'metadata = \'{"name": "mine"}\'')
    assert told(done(repairing, repair)) == [("mend row", "changed")]
    assert row(stores, file)["size_bytes"] == 7
    assert told(repairs.apply()) == [("mend row", "done")]
    assert row(stores, file)["size_bytes"] == file.size_bytes


def change(stores: Stores, file: StoredFile, what: str) -> None:
    with stores.postgres.connection() as connection:
        statement = f"UPDATE binary_file_metadata SET {what} WHERE id = %s"
        connection.execute(statement.encode(), [file.id])


# Who sees what


def test_a_lost_file_is_on_no_page_and_counts_for_no_verdict_but_is_told_of(
    stores: Stores, repairs: Repaired, task: AgentTask
) -> None:
    lost, there = (stored(stores, task, PNG + text) for text in (b"lost", b"there"))
    before = stores.postgres.get_task(task.id)
    remove(stores, lost)
    repairs.apply()
    assert [file.id for file in stores.postgres.get_binary_files(task_id=task.id)] == [there.id]
    (missing,) = stores.postgres.get_missing_files(task.id)
    assert missing.id == lost.id
    assert missing.missing_since > before.created_at
    with stores.postgres.connection() as connection:
        shown = connection.execute(
            "SELECT id FROM screenshots WHERE task_id = %s", [task.id]
        ).fetchall()
        news = connection.execute(
            "SELECT evidence_at >= (SELECT missing_since FROM binary_file_metadata WHERE id = %s)"
            " FROM tasks WHERE id = %s", [lost.id, task.id]
        ).fetchall()  # fmt: skip
    # It is judged anew, on what is there.
    assert (shown, news) == ([(there.id,)], [(True,)])


def test_a_large_part_of_all_objects_is_not_taken_aside_without_a_word(
    stores: Stores, repairs: Repaired, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stores, f"{agent_id}/deep/er/x.png", b"x")
    repairing, repair = repairs.plan()
    repairing.refuse_much(repair.id)
    monkeypatch.setattr("storage.repair.repairing.FEW", 0)
    monkeypatch.setattr("storage.repair.repairing.SHARE", 0)
    with pytest.raises(TooMuchAside, match="takes 1 of"):
        repairing.refuse_much(repair.id)


def test_a_repair_whose_inventory_is_gone_is_planned_anew(
    stores: Stores, repairs: Repaired, agent_id: str
) -> None:
    repairing, repair = repairs.plan()
    listing = Listing(InventoryStore(stores.postgres), stores.minio)
    listing.take(timedelta())
    assert repairing.store.cut_off(agent_id) == repairing.store.get(repair.id)
    listing.take(timedelta())
    assert repairing.store.cut_off(agent_id) is None


def test_only_one_repairs_at_a_time(stores: Stores) -> None:
    with (
        RepairStore(stores.postgres).only_run(),
        pytest.raises(RepairRunning, match="Another repair"),
        RepairStore(stores.postgres).only_run(),
    ):
        pass


def test_every_deed_is_in_the_audit_log_once(
    settings: Settings, stores: Stores, repairs: Repaired, task: AgentTask, agent_id: str
) -> None:
    file = stored(stores, task, PNG + b"lost")
    remove(stores, file)
    repairing, repair = repairs.plan()
    for _ in range(2):
        done(repairing, repair)
    log = AuditLog(settings.required("postgres_url"))
    (entry,) = log.page(agent_id=agent_id, what="data repaired")
    assert entry.task_id == task.id
    assert entry.details["kind"] == "mark missing"
    assert entry.details["row"] == str(file.id)
