"""Commands recorded by the flow into real stores."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from agentruns.models import Level, LogEntry, Status, new_id
from agentruns.recording.run_record import RunRecord
from flows.record_agent_run import record_agent_run
from storage.errors import RecordRejected, StoreUnavailable
from storage.stores import Stores

RUNS = Path(__file__).parents[2] / "examples" / "runs"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


def record(agent_id: str, code: str, **parameters: object) -> RunRecord:
    return record_agent_run(agent_id=agent_id, command=[sys.executable, "-c", code], **parameters)


def logs_of(stores: Stores, done: RunRecord) -> list[LogEntry]:
    entries: list[LogEntry] = []
    after = None
    while True:
        page = stores.mongo.read_logs(
            agent_id=done.agent_id, task_id=done.task_id, limit=1000, after=after
        )
        entries += page.items
        after = page.next
        if after is None:
            return sorted(entries, key=lambda entry: entry.id)


def messages_of(stores: Stores, done: RunRecord) -> list[str]:
    return [entry.message for entry in logs_of(stores, done)]


def test_a_command_that_ends_well_is_a_completed_task(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "print('hello')", title="Say hello", metadata={"team": "one"})
    assert (done.status, done.exit_code, done.attempts) == (Status.COMPLETED, 0, 1)
    assert (done.pending, done.rejected) == (0, 0)
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
    assert (task.status, task.metadata["ended"]) == (Status.FAILED, "exit code 3")
    assert logs_of(stores, done)[-1].level is Level.ERROR


def test_a_killed_command_says_by_what(stores: Stores, agent_id: str) -> None:
    done = record(agent_id, "import os; os.kill(os.getpid(), 9)")
    assert (done.status, done.exit_code) == (Status.FAILED, 137)
    assert stores.postgres.get_task(done.task_id).metadata["ended"] == "killed by SIGKILL"


def test_a_command_that_does_not_exist_fails_once(stores: Stores, agent_id: str) -> None:
    done = record_agent_run(agent_id=agent_id, command=["no-such-program"], attempts=3)
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
    assert messages_of(stores, done) == [
        "attempt 1 of 5 begins",
        "attempt 1 of 5 ended: exit code 1",
        "attempt 2 of 5 begins",
        "attempt 2 of 5 ended: exit code 0",
    ]


def test_secrets_reach_no_store(stores: Stores, agent_id: str) -> None:
    secret = "sk-" + "a1B2c3D4" * 6
    done = record_agent_run(
        agent_id=agent_id,
        command=["echo", f"--api-key={secret}", "--password", "hunter2-hunter2", secret],
        metadata={"api_key": secret},
    )
    kept = stores.postgres.get_task(done.task_id).model_dump_json()
    kept += "".join(entry.model_dump_json() for entry in logs_of(stores, done))
    assert secret not in kept
    assert kept.count("[redacted]") >= 4
    task = stores.postgres.get_task(done.task_id)
    assert "hunter2" not in task.model_dump_json()


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


@pytest.mark.slow
def test_a_hundred_megabytes_are_stored_with_flat_memory(stores: Stores, agent_id: str) -> None:
    peak = _Peak()
    start = time.monotonic()
    with peak:
        done = record(agent_id, "for n in range(1_000_000): print(f'{n:099}')")
    seconds = time.monotonic() - start
    assert (done.status, done.pending, done.rejected) == (Status.COMPLETED, 0, 0)
    lines = 0
    after = None
    while True:
        page = stores.mongo.read_logs(
            agent_id=agent_id, task_id=done.task_id, limit=10, after=after
        )
        lines += sum(len(entry.data.get("lines", ())) for entry in page.items)
        lines += sum(
            entry.data.get("stream") == "stdout" and "lines" not in entry.data
            for entry in page.items
        )
        after = page.next
        if after is None:
            break
    assert lines == 1_000_000
    assert peak.grown < 150 * 2**20, f"{peak.grown / 2**20:.0f} MB more memory"
    assert seconds < 60


def test_plain_files_become_objects(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("was here before")
    code = (
        f"import os; os.chdir({str(tmp_path)!r}); open('page.txt', 'wb').write({PNG!r}); "
        "open('report.html', 'w').write('<script>'); open('.hidden.part', 'w').write('x'); "
        "os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')"
    )
    done = record(agent_id, code, watch=[str(tmp_path)])
    files = stores.postgres.get_binary_files(task_id=done.task_id).items
    assert {(f.metadata["name"].partition("/")[2], f.bucket, f.content_type) for f in files} == {
        ("page.txt", "screenshots", "image/png"),
        ("report.html", "binaries", "text/plain; charset=utf-8"),
        (".hidden.part", "binaries", "text/plain; charset=utf-8"),
    }
    assert done.delivered.files == 3
    (picture,) = [file for file in files if file.bucket == "screenshots"]
    assert stores.minio.download("screenshots", picture.object_path) == PNG


def test_a_trajectory_becomes_steps_and_screenshots(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    (tmp_path / "trajectories").mkdir()
    source = next(path for path in sorted(RUNS.iterdir()) if path.is_dir())
    target = tmp_path / "trajectories" / source.name
    done = record_agent_run(
        agent_id=agent_id,
        command=["cp", "-r", str(source), str(target)],
        watch=[str(tmp_path / "trajectories"), str(tmp_path / "never made")],
    )
    assert (done.pending, done.rejected) == (0, 0)
    assert done.delivered.progress > 2
    progress = stores.postgres.get_task_progress(done.task_id, limit=1000).items
    assert len(progress) == done.delivered.progress
    names = [file.metadata for file in stores.postgres.get_binary_files(task_id=done.task_id)]
    pictures = {path.read_bytes() for path in source.rglob("*.png")}
    assert len(names) >= len(pictures)
    messages = messages_of(stores, done)
    assert len(messages) == done.delivered.logs
    assert [m for m in messages if "was not recorded" in m] == [
        f"{tmp_path / 'never made'} was not recorded: the watched folder does not exist"
    ]


def test_steps_appear_while_the_command_runs(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    source = next(path for path in sorted(RUNS.iterdir()) if path.is_dir())
    code = f"import shutil, time; shutil.copytree({str(source)!r}, {str(tmp_path / 'run')!r}); "
    task_id = new_id()
    seen: list[int] = []
    looking = threading.Timer(
        5, lambda: seen.append(len(stores.postgres.get_task_progress(task_id)))
    )
    looking.start()
    done = record(agent_id, code + "time.sleep(7)", watch=[str(tmp_path)], task_id=task_id)
    looking.join()
    assert 0 < seen[0] <= done.delivered.progress
    assert len(stores.postgres.get_task_progress(task_id, limit=1000)) == done.delivered.progress


def test_a_task_that_somebody_made_keeps_its_title(stores: Stores, agent_id: str) -> None:
    made = stores.postgres.create_task(agent_id, "Book a flight", metadata={"order": 7})
    done = record(agent_id, "pass", task_id=made.id)
    task = stores.postgres.get_task(made.id)
    assert done.task_id == made.id
    assert (task.title, task.status) == ("Book a flight", Status.COMPLETED)
    assert task.metadata["order"] == 7


def test_an_ended_task_is_not_recorded_into(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    done = record(agent_id, "pass")
    mark = tmp_path / "ran"
    with pytest.raises(RecordRejected, match="leave the task id out"):
        record(agent_id, f"open({str(mark)!r}, 'w')", task_id=done.task_id)
    assert not mark.exists()


@pytest.mark.parametrize("bad", ["../other", "Browser", "", "a" * 58])
def test_a_bad_agent_id_starts_nothing(stores: Stores, bad: str) -> None:
    with pytest.raises(ValidationError, match="agent_id"):
        record(bad, "pass")


def test_a_file_cannot_be_watched(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValidationError, match="is not a folder"):
        record(agent_id, "pass", watch=[str(tmp_path / "file")])


def test_an_interrupted_recording_is_a_cancelled_task(stores: Stores, agent_id: str) -> None:
    task_id = new_id()
    threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        record(agent_id, "import time; print('begun', flush=True); time.sleep(60)", task_id=task_id)
    task = stores.postgres.get_task(task_id)
    assert task.status is Status.CANCELLED
    assert stores.mongo.read_logs(agent_id=agent_id, task_id=task_id).items


def test_a_store_that_is_away_at_the_start_starts_nothing(
    stores: Stores, agent_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.recording.open_task.retries", 0)
    mark = tmp_path / "ran"
    for name, value in (
        ("POSTGRES_URL", "postgresql://nobody@127.0.0.1:9/none"),
        ("MONGODB_URL", "mongodb://127.0.0.1:9/"),
        ("MINIO_ENDPOINT", "127.0.0.1:9"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(StoreUnavailable):
                record(agent_id, f"open({str(mark)!r}, 'w')")
    assert not mark.exists()


class _Peak:
    """How much more memory the process held at most, sampled."""

    def __enter__(self) -> None:
        self._before = self.grown = 0
        self._before = _resident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.05):
            self.grown = max(self.grown, _resident() - self._before)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_terminated_recording_is_a_cancelled_task(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    task_id = new_id()
    mark = tmp_path / "begun"
    script = f"echo $$ > {mark}; echo begun; sleep 60"
    code = (
        "from uuid import UUID; from flows.record_agent_run import record_agent_run; "
        f"record_agent_run({agent_id!r}, ['sh', '-c', {script!r}], task_id=UUID('{task_id}'))"
    )
    server = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    recorder = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **server})
    for _ in range(300):
        if mark.exists():
            break
        time.sleep(0.1)
    recorder.terminate()
    assert recorder.wait(30) != 0
    assert stores.postgres.get_task(task_id).status is Status.CANCELLED
    assert "begun" in [
        entry.message for entry in stores.mongo.read_logs(agent_id=agent_id, task_id=task_id).items
    ]
    assert not Path(f"/proc/{mark.read_text().strip()}").exists()
