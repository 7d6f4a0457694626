"""Runs that the callback recorded and that also lie in a folder: each is one task."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentruns import Recorder
from agentruns.commands.watching import FolderWatch
from agentruns.cua import RecordingCallback
from agentruns.models import AgentTask, LogEntry, utcnow
from agentruns.recording import Run
from agentruns.spool import Spool
from examples.scripted_cua import Turn, act, call, say, think
from storage.delivery import Delivery
from storage.migration import Migration, MigrationStore
from storage.migration.copying import Copied, Copying
from storage.migration.cutover import cut_over
from storage.migration.lag import Lag, lag_of
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import START, Item
from storage.migration.rebuilding import Rebuilding
from storage.migration.superseding import Superseding
from storage.migration.verifying import Verifying
from storage.stores import Stores
from tests.integration.cua_agents import drive, make_agent

CLICK = [think("The button is left."), act("c1", "click", x=40, y=60, button="left")]
TYPE = [think("Now the text."), act("c2", "type", text="hello")]
LOOK = [think("I look."), call("f1", "browser", json.dumps({"action": "look", "url": "a.example"}))]
POINT = [call("f2", "browser", json.dumps({"action": "left_click", "coordinate": [30, 50]}))]
DONE = [say("It is booked.")]


class Fleet:
    """Agents that are recorded live, and whose saver writes folders below `saved`."""

    def __init__(self, folder: Path, agent_id: str, stores: Stores) -> None:
        self.folder = folder
        self.agent_id = agent_id
        self.stores = stores
        self.store = MigrationStore(stores.postgres)
        self.saved = folder / "saved"

    def run(self, turns: list[Turn], asked: str = "Book a flight", **options: Any) -> None:
        """One run, told by the callback to the spool and by the saver to the folder."""
        spool = self.folder / "spool"
        recorder = Recorder(self.agent_id, spool=spool, deliver=False, exit_seconds=0, **options)
        with recorder:
            callback = RecordingCallback(recorder)
            agent = make_agent(callback, turns, trajectory_dir=str(self.saved))
            asyncio.run(drive(agent, asked))

    def go_on(self, turns: list[Turn]) -> tuple[Recorder, Run]:
        """A run of the agent in a run of the user's own that has not ended."""
        spool = self.folder / "spool"
        recorder = Recorder(self.agent_id, spool=spool, deliver=False, exit_seconds=0)
        run = recorder.start_run("A day's work")
        agent = make_agent(
            RecordingCallback(recorder, run=run), turns, trajectory_dir=str(self.saved)
        )
        asyncio.run(drive(agent))
        return recorder, run

    def deliver(self) -> None:
        drained = Delivery(Spool(self.folder / "spool"), self.stores.settings).drain()
        assert (drained.pending, drained.rejected) == (0, 0)

    def inventory(self) -> Migration:
        migration = self.store.open(str(self.saved), self.agent_id)
        self.store.take_inventory(migration)
        return migration

    def migrate(self) -> Copied:
        migration = self.inventory()
        ids = [key.id for key, _, _ in self.store.items_to_copy(migration.id, START, 1000)]
        recordings = LiveRecordings(self.stores)
        return Copying(self.store, self.stores.writer, recordings=recordings).copy(migration, ids)

    def look_again(self) -> int:
        """The next run of the migration: copied, verified, and one task made of two."""
        migration = self.store.open(str(self.saved), self.agent_id, listing=False)
        superseding = Superseding(self.stores)
        found = superseding.look_for_recordings(migration.id)
        self.migrate()
        assert self.differences() == {}
        superseding.supersede(migration.id, self.agent_id)
        return found

    def lag(self) -> Lag:
        return lag_of(
            self.stores.postgres, self.store.open(str(self.saved), self.agent_id, listing=False)
        )

    def items(self) -> list[Item]:
        migration = self.store.open(str(self.saved), self.agent_id, listing=False)
        ids = self.store.items_to_verify(migration.id, None, 1000)
        return list(self.store.items(ids))

    def differences(self) -> dict[str, Any]:
        migration = self.store.open(str(self.saved), self.agent_id, listing=False)
        verifying = Verifying(self.stores, migration, deep=True)
        files = self.store.files_of([item.id for item in self.items()])
        found = {item.name: verifying.differences(item, files[item.id]) for item in self.items()}
        for item in self.items():
            self.store.note_differences(item, found[item.name], deep=True)
        return {name: said for name, said in found.items() if said}

    def tasks(self) -> list[AgentTask]:
        return list(self.stores.postgres.get_tasks(agent_id=self.agent_id))

    def steps(self) -> list[int | None]:
        found = self.stores.postgres.get_recent_progress(agent_id=self.agent_id, limit=1000)
        return sorted(step.step or 0 for step in found)

    def reasons(self) -> list[str]:
        migration = self.store.open(str(self.saved), self.agent_id, listing=False)
        return [entry.reason or "" for entry in self.store.quarantine(migration.id)]

    def folders(self) -> list[Path]:
        return sorted(self.saved.iterdir())


@pytest.fixture
def fleet(tmp_path: Path, agent_id: str, stores: Stores) -> Fleet:
    return Fleet(tmp_path, agent_id, stores)


def same_files(one: Path, other: Path) -> bool:
    names = [{p.relative_to(f) for p in f.rglob("*") if p.is_file()} for f in (one, other)]
    equal = all((one / n).read_bytes() == (other / n).read_bytes() for n in names[0])
    return names[0] == names[1] and equal


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([CLICK, TYPE, DONE], id="computer calls"),
        pytest.param([LOOK, POINT, DONE], id="functions with pictures inside"),
        pytest.param([DONE], id="no action at all"),
    ],
)
def test_a_run_that_was_recorded_live_and_its_folder_are_one_task(fleet, tmp_path, turns):
    fleet.run(turns)
    fleet.deliver()
    (live,), steps = fleet.tasks(), fleet.steps()
    assert fleet.migrate().imported == 1
    assert [task.id for task in fleet.tasks()] == [live.id]
    assert fleet.steps() == steps
    (item,) = fleet.items()
    assert (item.task_ids, item.recorded_as) == ([live.id], live.id)
    assert (fleet.differences(), fleet.reasons()) == ({}, [])
    Rebuilding(fleet.stores.postgres, fleet.stores.minio).rebuild(live.id, tmp_path / "again")
    assert same_files(fleet.folders()[0], tmp_path / "again" / item.name)
    assert cut_over(fleet.store, item.migration_id, "ann", []).reasons == []


def test_of_several_runs_each_folder_finds_its_own_recording(fleet):
    for _ in range(3):
        fleet.run([CLICK, TYPE, DONE])
    fleet.deliver()
    live = {task.id for task in fleet.tasks()}
    assert fleet.migrate().imported == 3
    assert {task.id for task in fleet.tasks()} == live
    assert {item.recorded_as for item in fleet.items()} == live
    assert fleet.differences() == {}


def test_copying_a_recorded_run_again_changes_nothing(fleet):
    fleet.run([CLICK, TYPE, DONE])
    fleet.deliver()
    fleet.migrate()
    before = everything(fleet)
    (item,) = fleet.items()
    with fleet.stores.postgres.connection() as connection:
        connection.execute("UPDATE migration_items SET status = 'pending'")
    assert fleet.migrate().imported == 1
    assert everything(fleet) == before
    assert fleet.items()[0].counts == item.counts


def test_what_only_the_folder_has_joins_the_live_task(fleet):
    fleet.run([CLICK, TYPE, LOOK, DONE])
    fleet.deliver()
    (live,) = fleet.tasks()
    steps = fleet.steps()
    with fleet.stores.postgres.connection() as connection:
        lost = connection.execute(
            "DELETE FROM task_progress WHERE task_id = %s AND step = 2 RETURNING message", [live.id]
        ).fetchall()
    assert len(lost) == 1
    fleet.migrate()
    assert [task.id for task in fleet.tasks()] == [live.id]
    assert fleet.steps() == steps
    assert fleet.differences() == {}


def test_a_recording_that_has_little_of_the_run_stays_another_task_and_is_told(fleet):
    fleet.run([CLICK, TYPE, LOOK, DONE])
    fleet.deliver()
    (live,) = fleet.tasks()
    with fleet.stores.postgres.connection() as connection:
        connection.execute("DELETE FROM task_progress WHERE step IN (2, 3)")
    fleet.migrate()
    assert len(fleet.tasks()) == 2
    (said,) = fleet.reasons()
    assert str(live.id) in said
    assert "it has 1 of its 3 steps" in said


def test_a_copy_that_was_killed_before_it_was_noted_goes_on(fleet, monkeypatch):
    fleet.run([CLICK, TYPE, LOOK, DONE])
    fleet.deliver()
    (live,) = fleet.tasks()
    with fleet.stores.postgres.connection() as connection:
        connection.execute("DELETE FROM task_progress WHERE step = 2")
    with monkeypatch.context() as patch:
        patch.setattr(MigrationStore, "note_outcomes", killed)
        with pytest.raises(KeyboardInterrupt):
            fleet.migrate()
    before = everything(fleet)
    assert fleet.migrate().imported == 1
    assert everything(fleet) == before
    assert fleet.items()[0].recorded_as == live.id
    assert fleet.differences() == {}


def test_one_id_with_other_content_stays_two_tasks_and_is_told(fleet):
    fleet.run([CLICK, TYPE, DONE])
    fleet.deliver()
    (live,) = fleet.tasks()
    changed = fleet.saved.rglob("*_computer_call_result.json")
    path = max(changed)
    path.write_text(path.read_text().replace("hello", "goodbye"))
    fleet.migrate()
    assert len(fleet.tasks()) == 2
    (said,) = fleet.reasons()
    assert str(live.id) in said
    assert "two tasks" in said
    assert fleet.differences() == {}
    (item,) = fleet.items()
    assert item.recorded_as is None
    assert cut_over(fleet.store, item.migration_id, "ann", []).reasons
    assert cut_over(fleet.store, item.migration_id, "ann", [item.name]).reasons == []


def test_secrets_that_only_the_recorder_knows_do_not_make_another_run_of_it(fleet):
    fleet.run([CLICK, TYPE, DONE], secrets=["hel+o"])
    fleet.deliver()
    (live,) = fleet.tasks()
    fleet.migrate()
    assert [task.id for task in fleet.tasks()] == [live.id]
    assert (fleet.differences(), fleet.reasons()) == ({}, [])


def test_two_agents_with_the_same_trajectory_keep_their_own_tasks(fleet, agent_id, stores):
    fleet.run([CLICK, DONE])
    fleet.deliver()
    other = Fleet(fleet.folder, f"{agent_id}b", stores)
    assert other.migrate().imported == 1
    assert fleet.migrate().imported == 1
    assert len(fleet.tasks()) == len(other.tasks()) == 1
    assert other.items()[0].recorded_as is None
    assert other.differences() == fleet.differences() == {}


def test_a_folder_whose_live_recording_goes_on_waits_for_the_next_run(fleet):
    recorder, run = fleet.go_on([CLICK, TYPE, DONE])
    fleet.deliver()
    assert fleet.migrate().waiting == 1
    assert fleet.reasons() == []
    lag = fleet.lag()
    assert (lag.items, lag.recording) == (1, 1)
    assert "1 for a live recording that goes on" in lag.in_words
    run.finish()
    recorder.close()
    fleet.deliver()
    assert fleet.migrate().imported == 1
    assert [task.id for task in fleet.tasks()] == [run.task_id]


def test_a_recording_that_fell_silent_is_not_waited_for(fleet):
    recorder, run = fleet.go_on([CLICK, TYPE, DONE])
    fleet.deliver()
    heard = ", ".join(
        f"{name} = now() - interval '2 hours'"
        for name in ("updated_at", "evidence_at", "heartbeat_at")
    )
    with fleet.stores.postgres.connection() as connection:
        connection.execute(f"UPDATE tasks SET {heard}")
    assert fleet.migrate().imported == 1
    assert fleet.items()[0].recorded_as == run.task_id
    recorder.close()


def test_the_lag_tells_what_is_new_or_changed_and_since_when(fleet):
    fleet.run([CLICK, DONE])
    fleet.run([TYPE, DONE])
    fleet.deliver()
    fleet.store.open(str(fleet.saved), fleet.agent_id)
    assert fleet.lag().in_words == "Lag: the source was not looked at yet."
    fleet.migrate()
    nothing = fleet.lag()
    assert (nothing.items, nothing.files, nothing.oldest_at) == (0, 0, None)
    assert "nothing waits" in nothing.in_words
    new = max(fleet.saved.rglob("*_agent_response.json"))
    new.write_text(new.read_text() + " ")
    (fleet.saved / "notes.txt").write_text("What we did in May.\n")
    migration = fleet.inventory()
    lag = fleet.lag()
    assert (lag.items, lag.files, lag.recording) == (2, 2, 0)
    assert lag.oldest_at is not None
    assert lag.inventory_seconds is not None
    assert lag.run_seconds is None
    fleet.store.note_copy(migration.id)
    assert fleet.lag().run_seconds is not None


def test_a_copy_of_the_folder_belongs_to_the_same_task(fleet):
    fleet.run([CLICK, TYPE, DONE])
    fleet.deliver()
    (folder,) = fleet.folders()
    shutil.copytree(folder, fleet.saved / "copies" / folder.name)
    assert fleet.migrate().imported == 2
    assert len(fleet.tasks()) == 1
    assert fleet.differences() == {}


def test_a_folder_that_was_watched_belongs_to_the_task_of_the_command(fleet, tmp_path):
    fleet.run([CLICK, TYPE, DONE])
    spool = tmp_path / "another spool"
    with Recorder(fleet.agent_id, spool=spool, deliver=False, exit_seconds=0) as recorder:
        run = recorder.start_run("a command")
        watched = tmp_path / "watched"
        watched.mkdir()
        watch = FolderWatch([watched], fleet.agent_id, run.task_id, recorder.cleaner)
        shutil.copytree(fleet.saved, watched / "runs")
        run.record(watch.rest())
        run.finish()
    assert Delivery(Spool(spool), fleet.stores.settings).drain().pending == 0
    (live,), steps = fleet.tasks(), fleet.steps()
    fleet.migrate()
    assert [task.id for task in fleet.tasks()] == [live.id]
    assert fleet.steps() == steps
    assert fleet.items()[0].recorded_as == live.id
    assert fleet.differences() == {}


def test_a_live_recording_that_comes_after_its_folder_takes_its_place(fleet, tmp_path):
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (imported,), steps = fleet.tasks(), fleet.steps()
    judged(fleet, imported)
    fleet.deliver()
    assert len(fleet.tasks()) == 2
    assert fleet.look_again() == 1
    (live,) = fleet.tasks()
    assert live.id != imported.id
    assert fleet.steps() == steps
    assert fleet.differences() == {}
    (verdict,) = fleet.stores.postgres.get_evaluations(agent_id=fleet.agent_id)
    assert verdict.task_id == live.id
    (item,) = fleet.items()
    assert (item.task_ids, item.superseded) == ([live.id], [])
    assert left(fleet, imported) == (0, 0)
    Rebuilding(fleet.stores.postgres, fleet.stores.minio).rebuild(live.id, tmp_path / "again")
    assert same_files(fleet.folders()[0], tmp_path / "again" / item.name)
    assert fleet.look_again() == 0


def test_a_recording_of_another_run_at_the_same_time_is_looked_at_once(fleet):
    fleet.run([CLICK, DONE])
    fleet.run([TYPE, DONE])
    shutil.rmtree(fleet.folders()[1])
    fleet.migrate()
    before = fleet.items()
    fleet.deliver()
    assert len(fleet.tasks()) == 3
    assert fleet.look_again() == 1
    assert len(fleet.tasks()) == 2
    assert fleet.look_again() == 0
    assert fleet.items()[0].task_ids != before[0].task_ids


def test_superseding_that_was_cut_off_goes_on(fleet, monkeypatch):
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (imported,) = fleet.tasks()
    fleet.deliver()
    for cut in ("_follow", "_drop"):
        with monkeypatch.context() as patch:
            patch.setattr(Superseding, cut, killed)
            with pytest.raises(KeyboardInterrupt):
                fleet.look_again()
    fleet.look_again()
    assert [task.id for task in fleet.tasks()] != [imported.id]
    assert len(fleet.tasks()) == 1
    assert left(fleet, imported) == (0, 0)


def test_a_recording_that_comes_after_a_copy_was_cut_off_takes_its_place(fleet, monkeypatch):
    fleet.run([CLICK, TYPE, DONE])
    with monkeypatch.context() as patch:
        patch.setattr(MigrationStore, "note_outcomes", killed)
        with pytest.raises(KeyboardInterrupt):
            fleet.migrate()
    (imported,) = fleet.tasks()
    fleet.deliver()
    fleet.look_again()
    (live,) = fleet.tasks()
    assert live.id != imported.id
    assert fleet.items()[0].superseded == []
    assert left(fleet, imported) == (0, 0)


def test_a_task_with_records_of_its_own_stays(fleet):
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (imported,) = fleet.tasks()
    fleet.stores.postgres.add_progress_update(imported.id, fleet.agent_id, 50.0, "said by a person")
    fleet.deliver()
    fleet.look_again()
    assert imported.id in {task.id for task in fleet.tasks()}


def test_a_task_of_which_somebody_said_something_in_a_log_stays(fleet):
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (imported,) = fleet.tasks()
    said = LogEntry(agent_id=fleet.agent_id, task_id=imported.id, message="Ask Ann about this.")
    assert fleet.stores.mongo.store_logs(fleet.agent_id, [said]) == []
    fleet.deliver()
    fleet.look_again()
    assert imported.id in {task.id for task in fleet.tasks()}
    logs = fleet.stores.mongo.read_logs(agent_id=fleet.agent_id, task_id=imported.id, limit=1000)
    assert said.id in {entry.id for entry in logs}


def test_one_recording_never_takes_the_place_of_another(fleet):
    fleet.run([CLICK, TYPE, DONE])
    command = AgentTask(agent_id=fleet.agent_id, title="a command", created_at=utcnow())
    fleet.stores.postgres.store_rows(tasks=[command])
    fleet.deliver()
    fleet.migrate()
    assert fleet.differences() == {}
    recorded = {task.id for task in fleet.tasks()}
    (item,) = fleet.items()
    with fleet.stores.postgres.connection() as connection:
        # As if the folder had been of the command's task before it changed.
        connection.execute(
            "UPDATE migration_items SET superseded = %s WHERE id = %s", [[command.id], item.id]
        )
    assert Superseding(fleet.stores).supersede(item.migration_id, fleet.agent_id) == 0
    assert {task.id for task in fleet.tasks()} == recorded


def test_an_archive_that_alone_has_a_file_stays(fleet):
    fleet.run([CLICK, TYPE, DONE])
    (folder,) = fleet.folders()
    note = folder / "notes.txt"
    note.write_text("The second click was luck.")
    fleet.migrate()
    (imported,) = fleet.tasks()
    note.unlink()
    fleet.deliver()
    fleet.look_again()
    assert imported.id in {task.id for task in fleet.tasks()}
    assert left(fleet, imported)[0]
    note.write_text("The second click was luck.")
    fleet.look_again()
    assert imported.id not in {task.id for task in fleet.tasks()}


def test_superseding_that_was_cut_off_goes_on_when_the_folder_is_gone(fleet, monkeypatch):
    fleet.run([CLICK, TYPE, DONE])
    fleet.migrate()
    (imported,) = fleet.tasks()
    fleet.deliver()
    with monkeypatch.context() as patch:
        patch.setattr(Superseding, "_drop", killed)
        with pytest.raises(KeyboardInterrupt):
            fleet.look_again()
    (folder,) = fleet.folders()
    shutil.rmtree(folder)
    fleet.look_again()
    assert [task.id for task in fleet.tasks()] != [imported.id]
    assert len(fleet.tasks()) == 1


def killed(*_: Any) -> None:
    raise KeyboardInterrupt


def judged(fleet: Fleet, task: AgentTask) -> None:
    fleet.stores.postgres.create_evaluation(
        task_id=task.id, agent_id=fleet.agent_id, scorer="mine", scorer_version="1", score=0.5
    )


def left(fleet: Fleet, task: AgentTask) -> tuple[int, int]:
    """Objects and log entries of a task."""
    folder = f"{fleet.agent_id}/{task.id}/"
    objects = [list(fleet.stores.minio.list(b, folder)) for b in ("screenshots", "binaries")]
    logs = fleet.stores.mongo.read_logs(agent_id=fleet.agent_id, task_id=task.id)
    return sum(map(len, objects)), len(logs)


def everything(fleet: Fleet) -> Any:
    with fleet.stores.postgres.connection() as connection:
        rows = [
            connection.execute(
                f"SELECT * FROM {table} WHERE agent_id = %s ORDER BY id",  # type: ignore[arg-type]
                [fleet.agent_id],
            ).fetchall()
            for table in ("task_progress", "binary_file_metadata", "evaluations")
        ]
    logs = fleet.stores.mongo.read_logs(agent_id=fleet.agent_id, limit=1000).items
    objects = [
        [(info.path, info.etag) for info in fleet.stores.minio.list(bucket, f"{fleet.agent_id}/")]
        for bucket in ("screenshots", "binaries")
    ]
    return rows, logs, objects
