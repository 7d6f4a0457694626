"""Commands recorded by the flow: what Prefect shows, and how it calls a run off."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from agentruns.commands.run_record import RunRecord
from agentruns.models import Status, new_id
from flows.record_agent_run import record_agent_run
from storage.errors import RecordNotFound
from storage.postgres import PostgresAdapter
from storage.stores import Stores
from tests.own_spool import own_spool, wait_until

__all__ = ["own_spool"]  # a fixture of another file

pytestmark = pytest.mark.usefixtures("own_spool")


def record(agent_id: str, code: str, **parameters: object) -> RunRecord:
    return record_agent_run(agent_id=agent_id, command=[sys.executable, "-c", code], **parameters)


def test_a_run_is_recorded_with_each_attempt_and_a_page_in_prefect(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    code = f"import pathlib, sys; p = pathlib.Path({str(mark)!r}); ok = p.exists(); p.touch(); "
    done = record(agent_id, code + "sys.exit(not ok)", attempts=3, title="Try", metadata={"a": 1})
    assert (done.status, done.exit_code, done.attempts) == (Status.COMPLETED, 0, 2)
    assert (done.pending, done.rejected) == (0, 0)
    task = stores.postgres.get_task(done.task_id)
    assert (task.title, task.status, task.metadata["a"]) == ("Try", Status.COMPLETED, 1)
    page = _newest_page()
    assert str(done.task_id) in str(page.data)
    assert _task_runs(page) == ["attempt 1", "attempt 2"]
    assert "| attempt 1 | exit code 1 |" in str(page.data)


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
    assert wait_until(lambda: _status(stores.postgres, task_id) is Status.CANCELLED, 20)
    entries = stores.mongo.read_logs(agent_id=agent_id, task_id=task_id).items
    assert "the recording ended early: KeyboardInterrupt" in [entry.message for entry in entries]


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
    assert wait_until(mark.exists, 30)
    time.sleep(0.5)
    recorder.terminate()
    assert recorder.wait(30) != 0
    assert wait_until(lambda: _status(stores.postgres, task_id) is Status.CANCELLED, 20)
    assert "begun" in [
        entry.message for entry in stores.mongo.read_logs(agent_id=agent_id, task_id=task_id).items
    ]
    assert not Path(f"/proc/{mark.read_text().strip()}").exists()


def _status(postgres: PostgresAdapter, task_id: UUID) -> Status | None:
    try:
        return postgres.get_task(task_id).status
    except RecordNotFound:  # it is still on its way
        return None


def _newest_page() -> Artifact:
    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["recorded-run"])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )[0]


def _task_runs(page: Artifact) -> list[str]:
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[page.flow_run_id]))
        )
    return sorted(run.name for run in runs)
