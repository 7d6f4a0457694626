"""Tasks and agents deleted for good: everything of them, nothing of others, and never again."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from minio.versioningconfig import ENABLED, VersioningConfig
from psycopg.types.json import Jsonb

from agentruns.models import (
    AgentTask,
    Bucket,
    Evaluation,
    LogEntry,
    Upload,
    imported_id,
    new_id,
    utcnow,
)
from agentruns.spool import Spool
from storage.access import AuditLog, Provisioning
from storage.access.credentials import credentials_file, environment_of, write_credentials
from storage.deletion import STEPS, Deleting, Finishing
from storage.delivery import Delivery
from storage.errors import AgentDeleted, MigrationRunning, RecordNotFound, RecordRejected
from storage.inventory import InventoryStore, Listing
from storage.migration import MigrationStore
from storage.migration.copying import Copied, Copying
from storage.migration.models import START, Migration
from storage.minio.clients import client
from storage.minio.describing import described
from storage.minio.removing import ObjectRemover
from storage.settings import Settings, settings_from
from storage.stores import Stores
from tests.integration.deliveries import a_task, written
from tests.integration.deliveries import records_of as waiting_of
from tests.integration.test_cli import Run, run
from tests.kept import NOTHING, PNG, kept, picture, records_of
from tests.own_spool import own_spool

__all__ = ["own_spool", "run"]  # fixtures of other files

RUNS = Path(__file__).parents[2] / "examples" / "runs"


@pytest.fixture
def deleting(settings: Settings) -> Iterator[Deleting]:
    with Deleting(settings) as deleting:
        yield deleting


def recorded(stores: Stores, agent_id: str, title: str = "a task") -> AgentTask:
    task = AgentTask(agent_id=agent_id, title=title, status="completed")
    assert stores.writer.write(records_of(task)).rejected == ()
    return task


# Tasks


def test_a_deleted_task_leaves_nothing_and_its_neighbours_are_unchanged(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task, sibling = recorded(stores, agent_id), recorded(stores, agent_id, "with equal pictures")
    other = recorded(stores, f"{agent_id}x")
    before = kept(settings, agent_id, sibling.id), kept(settings, other.agent_id)
    assert kept(settings, agent_id, task.id) != NOTHING

    done = deleting.delete_task(task.id)

    assert done.verified
    assert done.deleted == {
        "postgres": {"binary_file_metadata": 4, "evaluations": 1, "task_progress": 4, "tasks": 1},
        "mongodb": {"agent_logs": 5, "agent_memories": 1},
        "minio": {"screenshots": 3, "binaries": 1},
    }
    assert kept(settings, agent_id, task.id) == NOTHING
    assert (kept(settings, agent_id, sibling.id), kept(settings, other.agent_id)) == before
    assert deleting.delete_task(task.id) == done  # again changes nothing


def test_without_yes_it_is_only_told_what_would_go(
    settings: Settings, stores: Stores, run: Run, agent_id: str
) -> None:
    task = recorded(stores, agent_id)
    before = kept(settings, agent_id)

    told = run("tasks", "delete", str(task.id), "--json")

    assert (told.code, told.json()["deleted"], told.json()["verified"]) == (0, {}, False)
    assert told.json()["found"]["minio"] == {"screenshots": 3, "binaries": 1, "quarantine": 0}
    assert "--yes' deletes this for good" in run("tasks", "delete", str(task.id)).out
    assert kept(settings, agent_id) == before

    done = run("tasks", "delete", str(task.id), "--yes", "--json")
    assert (done.code, done.json()["verified"], done.json()["left"]) == (0, True, {})
    assert done.json()["deleted"]["mongodb"] == {"agent_logs": 5, "agent_memories": 1}
    over = run("tasks", "delete", str(task.id), "--json")
    assert (over.code, over.json()["verified"]) == (0, True)
    unknown = run("tasks", "delete", str(uuid4()), "--yes")
    assert (unknown.code, "There is no task" in unknown.err) == (2, True)


def test_nothing_of_a_deleted_task_is_taken_any_more(
    stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task = recorded(stores, agent_id)
    late = records_of(task)
    deleting.delete_task(task.id)

    written = stores.writer.write(late)

    reasons = {refused.kind: refused.reason for refused in written.rejected}
    assert set(reasons) == {"AgentTask", "ProgressUpdate", "StoredFile", "Evaluation"}
    assert all("deleted for good" in reason for reason in reasons.values())
    with pytest.raises(RecordRejected, match="deleted for good"):
        stores.postgres.add_progress_update(task.id, agent_id, 50.0, "late")


def test_what_comes_late_into_the_other_stores_goes_with_the_next_sweep(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task, sibling = recorded(stores, agent_id), recorded(stores, agent_id, "stays")
    before = kept(settings, agent_id, sibling.id)
    deleting.delete_task(task.id)
    for _ in range(2):
        stores.writer.write(records_of(task))
        assert kept(settings, agent_id, task.id) != NOTHING

        done = Finishing(deleting).finish()

        assert (done.finished, done.swept, done.failed) == (0, 1, {})
        assert kept(settings, agent_id, task.id) == NOTHING
    assert kept(settings, agent_id, sibling.id) == before


def test_an_object_stays_while_another_task_shows_it(
    stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    owner, user = recorded(stores, agent_id), recorded(stores, agent_id, "shows the other's")
    shared = picture(owner, PNG + b"1").file
    row = shared.model_copy(update={"id": uuid4(), "task_id": user.id})
    stores.postgres.register_binary_file(row)

    assert deleting.plan_task(owner.id).kept == 1
    assert deleting.delete_task(owner.id).deleted["minio"] == {"screenshots": 2, "binaries": 1}
    assert stores.minio.download(row.bucket, row.object_path) == PNG + b"1"

    assert deleting.delete_task(user.id).deleted["minio"] == {"screenshots": 4, "binaries": 1}
    with pytest.raises(RecordNotFound):
        stores.minio.stat(row.bucket, row.object_path)


def test_a_thousand_and_more_objects_go(stores: Stores, deleting: Deleting, agent_id: str) -> None:
    task = AgentTask(agent_id=agent_id, title="long", status="completed")
    stores.writer.write([task, *(picture(task, PNG + b"%d" % n) for n in range(1_001))])

    assert deleting.delete_task(task.id).deleted["minio"] == {"screenshots": 1_001}
    assert list(stores.minio.list("screenshots", f"{agent_id}/")) == []


def test_every_version_of_an_object_goes(settings: Settings) -> None:
    class Own(StrEnum):
        BUCKET = f"versioned-{uuid4().hex[:12]}"

    minio, remover = client(settings), ObjectRemover(settings)
    minio.make_bucket(Own.BUCKET)
    minio.set_bucket_versioning(Own.BUCKET, VersioningConfig(ENABLED))
    for name in ("a/1", "a/1", "a/2", "ab/1"):
        minio.put_object(Own.BUCKET, name, BytesIO(b"x"), 1)
    minio.remove_object(Own.BUCKET, "a/2")

    def versions(prefix: str) -> list[str]:
        pages = remover.versions(Own.BUCKET, prefix)  # type: ignore[arg-type]
        return [version.path for page in pages for version in page]

    assert sorted(versions("a/")) == ["a/1", "a/1", "a/2", "a/2"]
    for prefix in ("a/", "ab/"):
        for page in remover.versions(Own.BUCKET, prefix):  # type: ignore[arg-type]
            remover.remove(Own.BUCKET, page)  # type: ignore[arg-type]
        assert versions(prefix) == []
    minio.remove_bucket(Own.BUCKET)


def test_a_table_that_is_added_later_is_searched_too(
    settings: Settings, stores: Stores, deleting: Deleting, run: Run, agent_id: str
) -> None:
    task = recorded(stores, agent_id)
    with psycopg.connect(settings.required("postgres_owner_url")) as owner:
        owner.execute("CREATE TABLE added_later (task_id uuid, agent_id text)")
        owner.execute("GRANT SELECT ON added_later TO agentruns_operator")
        owner.execute("INSERT INTO added_later VALUES (%s, %s)", [task.id, agent_id])

    done = deleting.delete_task(task.id)

    assert done.left == {"postgres": {"added_later": 1}}
    assert Finishing(deleting).finish().failed.keys() == {done.deletion_id}
    assert run("tasks", "delete", str(task.id), "--yes").code == 1
    with psycopg.connect(settings.required("postgres_owner_url")) as owner:
        owner.execute("DROP TABLE added_later")
    assert Finishing(deleting).finish().finished == 1
    assert deleting.delete_task(task.id).verified


def test_documents_of_any_collection_go_also_with_ids_as_text(
    stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task = recorded(stores, agent_id)
    with stores.mongo._clusters.database(agent_id) as database:
        database["notes"].insert_many([{"task_id": str(task.id)}, {"task_id": uuid4()}])

    assert deleting.delete_task(task.id).deleted["mongodb"]["notes"] == 1
    with stores.mongo._clusters.database(agent_id) as database:
        assert database["notes"].count_documents({}) == 1


def test_the_audit_log_tells_who_deleted_what_and_how_much(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task = recorded(stores, agent_id, "a secret title")
    done = deleting.delete_task(task.id)

    page = AuditLog(settings.required("postgres_url")).page(task_id=task.id, what="data deleted")

    assert [entry.who for entry in page] == ["agentruns_operator"] * 2
    assert page.items[0].details["finished"] == done.deleted
    assert "secret" not in str([entry.details for entry in page])


def test_what_checks_found_of_a_deleted_task_is_forgotten_and_nothing_else(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    gone, sibling = recorded(stores, agent_id), recorded(stores, agent_id, "stays")
    other = recorded(stores, f"{agent_id}x")
    lost = picture(gone, PNG + b"lost").file
    stores.postgres.register_binary_file(lost)
    run_id = new_id()
    sample = [{"id": str(uuid4()), "task_id": str(task.id)} for task in (gone, sibling, other)]
    sample += [{"agent_id": agent_id}, {"agent_id": other.agent_id}]
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
    with stores.postgres.connection() as connection:
        connection.execute("INSERT INTO quality_runs (id) VALUES (%s)", [run_id])
        connection.execute(
            "INSERT INTO quality_results (run_id, name, subject, severity, passed, message, sample)"
            " VALUES (%s, 'x', 'tasks', 'error', false, 'x', %s)",
            [run_id, Jsonb(sample)],
        )

        connection.execute(
            "INSERT INTO object_readings (bucket, object_path, etag)"
            " SELECT DISTINCT bucket, object_path, 'x' FROM object_inventory"
        )
        connection.execute("INSERT INTO deep_passes (id, scope) VALUES (%s, 'x')", [run_id])
        connection.execute(
            "INSERT INTO deep_objects (pass_id, bucket, object_path, size_bytes, etag)"
            " SELECT DISTINCT %s::uuid, bucket, object_path, 1, 'x' FROM object_inventory",
            [run_id],
        )

    def named(word: object) -> list[int]:
        tables = (
            *("object_inventory", "object_differences", "quality_results"),
            *("object_readings", "deep_objects"),
        )
        with stores.postgres.connection() as connection:
            return [
                connection.execute(
                    f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE %s".encode(),
                    [f"%{word}%"],
                ).fetchall()[0][0]
                for table in tables
            ]

    assert named(gone.id) == [4, 1, 1, 4, 4]
    assert deleting.delete_task(gone.id).verified
    assert named(gone.id) == [0, 0, 0, 0, 0]
    assert named(sibling.id) == [4, 0, 1, 4, 4]
    assert deleting.delete_agent(agent_id).verified
    assert named(f"{agent_id}/") == [0, 0, 0, 0, 0]
    assert named(f'"{agent_id}"') == [0, 0, 0, 0, 0]
    assert named(other.id) == [4, 0, 1, 4, 4]


# Folders that a task came from


def inventory(store: MigrationStore, source: Path, agent_id: str) -> Migration:
    migration = store.open(source, agent_id, "UTC")
    store.take_inventory(migration)
    return migration


def copied(stores: Stores, store: MigrationStore, migration: Migration) -> Copied:
    ids = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    return Copying(store, stores.writer).copy(migration, ids)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNS, tmp_path / "runs"))


def test_a_deleted_run_is_not_imported_again(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str, source: Path
) -> None:
    store = MigrationStore(stores.postgres)
    migration = inventory(store, source, agent_id)
    imported = copied(stores, store, migration).imported
    task, *others = stores.postgres.get_tasks(agent_id=agent_id)

    done = deleting.delete_task(task.id)

    assert done.verified
    assert done.deleted["postgres"]["migration_items"] == 1
    assert kept(settings, agent_id, task.id) == NOTHING
    # The same folder again, with a file that is new to it; and a copy of it under other names.
    next(source.glob(f"*{_folder_of(task)}*")).joinpath("new.txt").write_text("late")
    assert copied(stores, store, inventory(store, source, agent_id)) == Copied()
    assert store.summary(migration.id).items["deleted"] == 1
    renamed = source.with_name("renamed")
    for folder in RUNS.iterdir():
        shutil.copytree(folder, renamed / f"{folder.name[:10]}_renamed_{folder.name[-4:]}")
    again = inventory(store, renamed, agent_id)
    copied(stores, store, again)
    assert store.summary(again.id).items["deleted"] == 1
    assert store.summary(again.id).items["imported"] == imported - 1
    assert {other.id for other in others} <= {t.id for t in stores.postgres.get_tasks()}
    assert kept(settings, agent_id, task.id) == NOTHING


def test_archives_of_what_an_item_was_before_go_as_well_and_no_others(
    stores: Stores, deleting: Deleting, agent_id: str, source: Path
) -> None:
    store = MigrationStore(stores.postgres)
    migration = inventory(store, source, agent_id)
    items = [key.id for key, _, _ in store.items_to_copy(migration.id, START, 1000)]
    Copying(store, stores.writer).copy(migration, items)
    by_item = {item.id: item.task_ids[0] for item in store.items(items)}
    item, other = items

    def archived(item_id: UUID, content: bytes) -> str:
        about = {"kind": "archive"}
        file = described(content, Bucket.BINARIES, agent_id=agent_id, task_id=None, metadata=about)
        id_ = imported_id("archive", str(item_id), file.sha256)
        upload = Upload(file=file.model_copy(update={"id": id_}), content=content)
        assert stores.writer.write([upload]).rejected == ()
        return file.object_path

    of_both = {archived(item, b"alike"), archived(other, b"alike")}
    gone, stays = archived(item, b"as it was"), archived(other, b"as the other was")

    assert deleting.plan_task(by_item[item]).found["minio"]["binaries"] == 2
    done = deleting.delete_task(by_item[item])

    assert (done.verified, done.deleted["minio"]["binaries"]) == (True, 2)
    left = {info.path for info in stores.minio.list("binaries", f"{agent_id}/no-task/")}
    assert left == {*of_both, stays}
    assert gone not in left


def _folder_of(task: AgentTask) -> str:
    return str(task.metadata["source"]).rpartition("_")[2][:4]


def test_a_running_migration_that_holds_the_task_makes_the_deletion_refuse(
    stores: Stores, deleting: Deleting, agent_id: str, source: Path
) -> None:
    store = MigrationStore(stores.postgres)
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    task = stores.postgres.get_tasks(agent_id=agent_id).items[0]
    with store.only_run(migration.id):
        for delete, what in ((deleting.delete_task, task.id), (deleting.delete_agent, agent_id)):
            with pytest.raises(MigrationRunning, match="is at work and holds"):
                delete(what)  # type: ignore[operator]
    assert stores.postgres.get_task(task.id)
    assert deleting.delete_task(task.id).verified


# Agents


@pytest.fixture
def access(settings: Settings) -> Iterator[Provisioning]:
    with Provisioning(settings) as access:
        yield access


def let_in(access: Provisioning, settings: Settings, agent_id: str, **more: Any) -> Settings:
    key = access.add(agent_id, **more)
    assert key
    environment = environment_of(key, settings)
    write_credentials(credentials_file(agent_id), environment)
    return settings_from(environment)


def test_a_deleted_agent_leaves_nothing_and_others_are_unchanged(
    settings: Settings,
    stores: Stores,
    deleting: Deleting,
    access: Provisioning,
    agent_id: str,
    source: Path,
) -> None:
    own = let_in(access, settings, agent_id)
    let_in(access, settings, f"{agent_id}x")
    with Stores(own) as agents_stores:
        agents_stores.mongo.store_logs(agent_id, [LogEntry(agent_id=agent_id, message="no task")])
    recorded(stores, agent_id)
    store = MigrationStore(stores.postgres)
    copied(stores, store, inventory(store, source, agent_id))
    recorded(stores, f"{agent_id}x")
    before = kept(settings, f"{agent_id}x")

    done = deleting.delete_agent(agent_id)

    assert done.verified
    assert done.deleted["postgres"]["agents"] == done.deleted["postgres"]["agent_keys"] == 1
    assert done.deleted["postgres"]["migrations"] == 1
    assert done.deleted["postgres"]["migration_items"] == len(list(RUNS.iterdir()))
    assert done.deleted["mongodb"]["users"] == 1
    assert kept(settings, agent_id) == NOTHING
    assert kept(settings, f"{agent_id}x") == before
    assert not credentials_file(agent_id).exists()
    with Stores(own) as agents_stores:
        assert not agents_stores.postgres.health_check().healthy
        assert not agents_stores.minio.health_check().healthy


def test_its_name_is_free_only_for_who_says_so_and_old_records_stay_refused(
    settings: Settings, stores: Stores, deleting: Deleting, access: Provisioning, agent_id: str
) -> None:
    let_in(access, settings, agent_id)
    old = recorded(stores, agent_id)
    unknown = AgentTask(agent_id=agent_id, title="never arrived", status="in_progress")
    deleting.delete_agent(agent_id)
    young = AgentTask(agent_id=agent_id, title="too early", status="in_progress")

    assert {r.kind for r in stores.writer.write([young, old, unknown]).rejected} == {"AgentTask"}
    with pytest.raises(AgentDeleted, match="--anew"):
        access.add(agent_id)
    with pytest.raises(RecordRejected, match="deleted for good"):
        MigrationStore(stores.postgres).open(Path("/runs"), agent_id, "UTC")
    with Stores(let_in(access, settings, agent_id, anew=True)) as own:
        new = AgentTask(agent_id=agent_id, title="new", status="in_progress", created_at=utcnow())
        said = own.writer.write(records_of(new)[:-1])
        assert said.rejected == ()
        late = [*records_of(old)[:-1], *records_of(unknown)[:-1], young]
        refused = own.writer.write(late).rejected
    assert {r.kind for r in refused} == {"AgentTask", "ProgressUpdate", "StoredFile"}
    before = kept(settings, agent_id, new.id)

    assert Finishing(deleting).finish().failed == {}

    assert kept(settings, agent_id, old.id) == NOTHING
    assert kept(settings, agent_id, new.id) == before


def test_a_verdict_that_comes_while_its_agent_is_deleted_is_refused_or_goes_as_well(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    task = recorded(stores, agent_id)
    deletion = deleting.begin_agent(agent_id)
    verdict = {"task_id": task.id, "agent_id": agent_id, "scorer_version": "1", "score": 0.5}
    for step in STEPS:
        deleting.steps.take(step, [deletion.id])
        late = Evaluation(scorer=f"after {step}", **verdict)
        refused = stores.writer.write([late]).rejected
        assert (step == "count") == (not refused)
    assert deleting.finish(deletion.id).verified
    assert kept(settings, agent_id) == NOTHING


def test_two_who_delete_an_agent_in_one_moment_open_one_deletion(
    stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    recorded(stores, agent_id)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(deleting.begin_agent, [agent_id] * 4))
    assert len({deletion.id for deletion in opened}) == 1
    assert deleting.delete_agent(agent_id).verified


def test_its_name_is_not_given_away_while_late_records_are_removed(
    stores: Stores, deleting: Deleting, access: Provisioning, agent_id: str
) -> None:
    recorded(stores, agent_id)
    deletion = deleting.tombstones.get(deleting.delete_agent(agent_id).deletion_id)
    with deleting.tombstones.only_one(deletion), pytest.raises(AgentDeleted, match="this moment"):
        access.add(agent_id, anew=True)
    assert access.add(agent_id, anew=True)


def test_an_agent_is_deleted_on_the_command_line(
    settings: Settings, stores: Stores, run: Run, access: Provisioning, agent_id: str
) -> None:
    let_in(access, settings, agent_id)
    recorded(stores, agent_id)
    assert run("agents", "delete", agent_id, "--json").json()["found"]["postgres"]["tasks"] == 1
    assert stores.postgres.get_tasks(agent_id=agent_id).items

    done = run("agents", "delete", agent_id, "--yes", "--json")

    assert (done.code, done.json()["verified"]) == (0, True)
    refused = run("agents", "add", agent_id)
    assert (refused.code, "--anew" in refused.err) == (4, True)
    assert run("agents", "add", agent_id, "--anew", "--json").json()["created"]
    assert run("agents", "delete", f"{agent_id}x").code == 2


# What waits in a spool


@pytest.mark.parametrize("provision", ["yes", "no"])
def test_a_spool_is_told_that_its_agent_was_deleted(
    stores: Stores,
    deleting: Deleting,
    access: Provisioning,
    settings: Settings,
    agent_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provision: str,
) -> None:
    monkeypatch.setenv("AGENTRUNS_PROVISION", provision)
    spool, task = Spool(tmp_path / "spool"), a_task(agent_id)
    let_in(access, settings, agent_id)
    deleting.delete_agent(agent_id)
    written(spool, waiting_of(task, 3))

    drained = Delivery(spool).drain()

    assert (drained.pending, drained.rejected) == (0, 13)


def test_a_spool_is_told_that_its_task_was_deleted(
    settings: Settings,
    stores: Stores,
    deleting: Deleting,
    access: Provisioning,
    agent_id: str,
    tmp_path: Path,
) -> None:
    spool, task = Spool(tmp_path / "spool"), a_task(agent_id)
    let_in(access, settings, agent_id)
    stores.postgres.store_rows(tasks=[task])
    deleting.delete_task(task.id)
    written(spool, waiting_of(task, 3))

    drained = Delivery(spool).drain()

    # MongoDB keeps no tombstones: what it took goes with the next sweep.
    assert (drained.pending, drained.rejected) == (0, 1 + 3 + 5)
    assert Finishing(deleting).finish().swept == 1
    assert kept(settings, agent_id, task.id) == NOTHING
