"""Runs whose machine was rebooted become interrupted; who may still live is left alone."""

from datetime import timedelta

import pytest

from agentruns.models import AgentTask, Status, new_id, utcnow
from flows.check_health import check_health
from quality.dead_runs import REASON, interrupt_dead_runs
from quality.pipeline import silent_tasks
from storage.postgres import PostgresAdapter

#: Set anew for each test: these files are read an hour before the last of them runs.
NOW = utcnow()
#: The silence after which a run may be dead; negative, so that a test need not wait.
AT_ONCE = timedelta(seconds=-60)


def run_on(agent_id: str, boot: str, **fields: object) -> AgentTask:
    recorder = {"host": "desk", "machine": "m1", "boot_id": boot, "pid": 7, "session": "s"}
    began = NOW - timedelta(hours=2)
    return AgentTask.model_validate(
        {
            "agent_id": agent_id,
            "title": boot,
            "status": Status.IN_PROGRESS,
            "metadata": {"recorder": recorder | fields.pop("recorder", {})},
            "created_at": began,
            "status_at": began,
            "started_at": began,
        }
        | fields
    )


def later_run(agent_id: str, boot: str = "second", minutes: int = 60, **recorder: str) -> AgentTask:
    return run_on(agent_id, boot, recorder=recorder, started_at=NOW + timedelta(minutes=minutes))


def heard(postgres: PostgresAdapter, task: AgentTask, minutes_ago: int) -> None:
    """Let the last news of a task be so old."""
    with postgres.connection() as connection:
        connection.execute(
            "UPDATE tasks SET evidence_at = %(at)s, updated_at = %(at)s WHERE id = %(id)s",
            {"at": NOW - timedelta(minutes=minutes_ago), "id": task.id},
        )


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.NOW", utcnow())


@pytest.fixture
def silent(postgres: PostgresAdapter, agent_id: str) -> AgentTask:
    """A run in progress, not heard of for an hour."""
    task = run_on(agent_id, "first")
    postgres.store_rows(tasks=[task])
    heard(postgres, task, 60)
    return task


def test_a_run_is_interrupted_when_its_machine_was_rebooted(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTRUNS_SPOOL", "/nowhere")
    postgres.store_rows(tasks=[later_run(agent_id, minutes=-30)])
    report = {check.name: check for check in check_health().checks}
    assert (
        report["dead runs"].detail
        == "Runs interrupted now, because their machines were rebooted: 1."
    )
    assert report["silent tasks"].healthy
    found = postgres.get_task(silent.id)
    assert found.status is Status.INTERRUPTED
    assert found.status_at == found.finished_at == NOW - timedelta(minutes=60)
    assert found.metadata == silent.metadata | {"reason": REASON}
    assert "No run" in interrupt_dead_runs(postgres).detail


@pytest.mark.parametrize(
    "newest",
    [
        pytest.param({"boot": "first"}, id="same boot"),
        pytest.param({"machine": "m2"}, id="another machine"),
        pytest.param({"host": "other"}, id="another host with that machine id"),
        pytest.param({"minutes": -90}, id="began before the last sign of life"),
        pytest.param({"boot": None}, id="unknown boot"),
    ],
)
def test_a_run_that_may_live_is_only_reported_as_silent(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask, newest: dict[str, str]
) -> None:
    boot = {"boot_id": newest.pop("boot")} if "boot" in newest else {}
    minutes = int(newest.pop("minutes", -30))
    postgres.store_rows(tasks=[later_run(agent_id, minutes=minutes, **newest, **boot)])
    assert "No run" in interrupt_dead_runs(postgres).detail
    assert postgres.get_task(silent.id).status is Status.IN_PROGRESS
    assert not silent_tasks(postgres).healthy


def test_a_boot_that_is_still_in_use_is_no_reboot(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask
) -> None:
    """Two machines with one name and one machine id take turns: neither is dead for sure."""
    again = later_run(agent_id, "first", minutes=-20)
    postgres.store_rows(tasks=[later_run(agent_id, minutes=-30), again])
    assert "No run" in interrupt_dead_runs(postgres).detail


def test_a_run_with_a_fresh_heartbeat_lives(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask
) -> None:
    postgres.store_rows(tasks=[later_run(agent_id, minutes=-30)])
    postgres.heartbeat([silent.id])
    assert "No run" in interrupt_dead_runs(postgres).detail
    assert silent_tasks(postgres).healthy
    assert "No run" in interrupt_dead_runs(postgres, AT_ONCE).detail


def test_a_run_without_recorder_is_left_alone(postgres: PostgresAdapter, agent_id: str) -> None:
    task = run_on(agent_id, "first", metadata={})
    postgres.store_rows(tasks=[task, later_run(agent_id)])
    assert "No run" in interrupt_dead_runs(postgres, AT_ONCE).detail
    assert postgres.get_task(task.id).status is Status.IN_PROGRESS


def test_a_clock_that_is_ahead_does_not_keep_a_run_from_being_interrupted(
    postgres: PostgresAdapter, agent_id: str
) -> None:
    ahead = NOW + timedelta(minutes=30)
    task = run_on(agent_id, "first", status_at=ahead, started_at=ahead)
    postgres.store_rows(tasks=[task, later_run(agent_id)])
    assert "rebooted: 1." in interrupt_dead_runs(postgres, AT_ONCE).detail
    assert postgres.get_task(task.id).status_at == ahead + timedelta(milliseconds=1)


def test_an_end_that_arrives_later_still_counts(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask
) -> None:
    postgres.store_rows(tasks=[later_run(agent_id, minutes=-30)])
    assert "rebooted: 1." in interrupt_dead_runs(postgres).detail
    ended = {"status": Status.COMPLETED, "status_at": NOW - timedelta(minutes=70)}
    postgres.store_rows(tasks=[silent.model_copy(update=ended)])
    assert postgres.get_task(silent.id).status is Status.COMPLETED


def test_a_run_taken_up_again_after_the_reboot_goes_on(
    postgres: PostgresAdapter, agent_id: str, silent: AgentTask
) -> None:
    second = later_run(agent_id, minutes=-30)
    resumed = second.model_copy(update={"id": silent.id, "status_at": NOW})
    postgres.store_rows(tasks=[second])
    assert "rebooted: 1." in interrupt_dead_runs(postgres).detail
    postgres.store_rows(tasks=[resumed])
    found = postgres.get_task(silent.id)
    assert (found.status, found.metadata["recorder"]["boot_id"]) == ("in_progress", "second")


def test_many_dead_runs_are_counted(postgres: PostgresAdapter, agent_id: str) -> None:
    dead = [run_on(agent_id, f"boot {number}", id=new_id()) for number in range(3)]
    postgres.store_rows(tasks=[*dead, later_run(agent_id)])
    assert "rebooted: 3." in interrupt_dead_runs(postgres, AT_ONCE).detail
