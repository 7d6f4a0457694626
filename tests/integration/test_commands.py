"""Commands recorded through a spool and a real delivery into real stores."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from agentruns.commands.plan import RunPlan
from agentruns.commands.signals import Signals
from agentruns.models import Level, Status, new_id
from agentruns.recording import Recorder
from agentruns.spool import Spool
from storage.stores import Stores
from tests.integration.recorded_commands import (
    logs_of,
    messages_of,
    record,
    record_argv,
    record_plan,
)
from tests.own_spool import own_spool

__all__ = ["own_spool"]  # a fixture of another file

pytestmark = pytest.mark.usefixtures("own_spool")


def test_a_command_that_ends_well_is_a_completed_task(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "print('hello')", title="Say hello", metadata={"team": "one"})
    assert (done.status, done.exit_code, done.attempts) == (Status.COMPLETED, 0, 1)
    assert (done.pending, done.rejected, done.lost) == (0, 0, 0)
    assert done.delivered.model_dump() == {
        "tasks": 1, "progress": 0, "logs": 3, "memories": 0, "files": 0
    }  # fmt: skip
    task = stores.postgres.get_task(done.task_id)
    assert (task.title, task.status) == ("Say hello", Status.COMPLETED)
    assert task.metadata["team"] == "one"
    assert (task.metadata["attempts"], task.metadata["exit_code"]) == (1, 0)
    assert task.started_at
    assert task.finished_at
    assert task.started_at <= task.finished_at
    assert messages_of(stores, done) == [
        "attempt 1 of 1 begins",
        "hello",
        "attempt 1 of 1 ended: exit code 0",
    ]


def test_a_command_that_fails_is_a_failed_task(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "raise SystemExit(3)")
    assert (done.status, done.exit_code) == (Status.FAILED, 3)
    task = stores.postgres.get_task(done.task_id)
    assert (task.status, task.metadata["reason"]) == (Status.FAILED, "exit code 3")
    assert logs_of(stores, done)[-1].level is Level.ERROR


def test_a_killed_command_says_by_what(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "import os; os.kill(os.getpid(), 9)")
    assert (done.status, done.exit_code) == (Status.FAILED, 137)
    assert stores.postgres.get_task(done.task_id).metadata["reason"] == "killed by SIGKILL"


def test_a_command_that_does_not_exist_fails_once(stores: Stores, agent_id: str) -> None:
    done = record_argv(agent_id, "no-such-program", attempts=3)
    assert (done.status, done.exit_code, done.attempts) == (Status.FAILED, 127, 1)
    assert "does not exist" in messages_of(stores, done)[-1]


def test_attempts_end_with_the_first_that_is_well(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    code = f"import pathlib, sys; p = pathlib.Path({str(tmp_path / 'n')!r}); "
    code += (
        "n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1)); sys.exit(n < 1)"
    )
    done = record(agent_id, code, attempts=5)
    assert (done.status, done.exit_code, done.attempts) == (Status.COMPLETED, 0, 2)
    assert stores.postgres.get_task(done.task_id).metadata["attempts"] == 2
    assert [(entry.message, entry.data["attempt"]) for entry in logs_of(stores, done)] == [
        ("attempt 1 of 5 begins", 1),
        ("attempt 1 of 5 ended: exit code 1", 1),
        ("attempt 2 of 5 begins", 2),
        ("attempt 2 of 5 ended: exit code 0", 2),
    ]


def test_a_run_that_is_called_off_makes_no_further_attempt(stores: Stores, agent_id: str) -> None:
    signals = Signals()
    plan = RunPlan(agent_id=agent_id, command=("sleep", "60"), attempts=5)
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with signals.passed_on():
        done = record_plan(plan, Recorder(agent_id), signals)
    assert (done.status, done.exit_code, done.attempts) == (Status.CANCELLED, 143, 1)
    task = stores.postgres.get_task(done.task_id)
    assert (task.status, task.metadata["reason"]) == (Status.CANCELLED, "killed by SIGTERM")


def test_secrets_do_not_even_reach_the_spool(agent_id: str, own_spool: Spool) -> None:
    secret = "sk-" + "a1B2c3D4" * 6
    recorder = Recorder(agent_id, deliver=False)
    plan = RunPlan(
        agent_id=agent_id,
        command=("sh", "-c", f"echo {secret}", f"--api-key={secret}", "--password", "hunter2-2"),
        metadata={"api_key": secret},
    )
    record_plan(plan, recorder, wait=0)
    spooled = b"".join(path.read_bytes() for path in own_spool.folder.rglob("*") if path.is_file())
    assert b"[redacted]" in spooled
    assert secret.encode() not in spooled
    assert b"hunter2" not in spooled


def test_the_command_sees_no_credential_of_ours(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "import os; print(' '.join(sorted(os.environ)))", title="env")
    (names,) = [m.split() for m in messages_of(stores, done) if "AGENTRUNS_TASK_ID" in m]
    ours = ("MONGODB", "POSTGRES", "MINIO", "PREFECT_API", "PREFECT_SERVER")
    assert [name for name in names if name.startswith(ours)] == []


def test_bytes_that_no_store_takes_are_kept_as_text(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, r"import os; os.write(1, b'a\0b \xff\n')")
    (entry,) = [one for one in logs_of(stores, done) if one.data.get("stream") == "stdout"]
    assert entry.message == "a\ufffdb \\xff"
    assert entry.data["damaged"] is True


def test_a_recorder_inside_the_command_joins_its_task(stores: Stores, agent_id: str) -> None:
    done = record(
        agent_id,
        "import agentruns\n"
        "recorder = agentruns.Recorder()\n"
        "with recorder.run('inside') as run:\n"
        "    print(run.task_id, flush=True)\n"
        "    run.log('from inside')\n"
        "    run.progress(50, 'halfway', step=1)\n"
        "recorder.flush(20)\n",
        title="Outside",
    )
    messages = messages_of(stores, done)
    assert str(done.task_id) in messages
    assert "from inside" in messages
    (update,) = stores.postgres.get_task_progress(done.task_id).items
    assert update.progress_percent == 50
    (task,) = stores.postgres.get_tasks(agent_id=agent_id).items
    assert (task.id, task.title, task.status) == (done.task_id, "Outside", Status.COMPLETED)


def test_a_task_that_somebody_made_keeps_its_title(stores: Stores, agent_id: str) -> None:
    made = stores.postgres.create_task(agent_id, "Book a flight", metadata={"order": 7})
    done = record(agent_id, "pass", task_id=made.id)
    task = stores.postgres.get_task(made.id)
    assert done.task_id == made.id
    assert (task.title, task.status) == ("Book a flight", Status.COMPLETED)
    assert task.metadata["order"] == 7


def test_a_recording_inside_a_recording_is_a_task_of_its_own(stores: Stores, agent_id: str) -> None:
    outer = new_id()
    script = str(Path(sys.executable).with_name("agentruns"))
    done = record_argv(
        agent_id,
        *(script, "record", "--agent", agent_id, "--title", "Inner", "--", "echo", "inside"),
        task_id=outer,
        title="Outer",
    )
    assert done.status is Status.COMPLETED
    tasks = {task.title: task for task in stores.postgres.get_tasks(agent_id=agent_id).items}
    assert tasks.keys() == {"Outer", "Inner"}
    assert tasks["Inner"].metadata["parent_task_id"] == str(outer)
