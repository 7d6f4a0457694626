"""The check of the data as a flow: what it leaves in Prefect, in PostgreSQL and on the terminal."""

import time
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from agentruns.models import AgentTask, Bucket, Status, StoredFile, object_path, utcnow
from flows.check_quality import FAILED, check_quality
from storage.errors import CheckFaulty, QualityRunning
from storage.inventory import InventoryStore
from storage.quality import QualityStore
from storage.stores import Stores
from tasks.quality_history import read_history

HEAD = "-- name: mine\n-- table: tasks\n-- severity: error\n-- message: It is mine.\n"


@pytest.fixture
def lost(stores: Stores, agent_id: str) -> StoredFile:
    """A row whose object is not there."""
    task = AgentTask(
        agent_id=agent_id, title="a task", status=Status.COMPLETED, finished_at=utcnow()
    )
    file = StoredFile(
        agent_id=agent_id,
        task_id=task.id,
        bucket=Bucket.SCREENSHOTS,
        object_path=object_path(agent_id, task.id, "a" * 64, ".png"),
        content_type="image/png",
        size_bytes=1,
        sha256="a" * 64,
    )
    stores.postgres.store_rows(tasks=[task], files=[file])
    return file


@pytest.mark.slow
def test_what_is_found_is_told_to_people_programs_and_automations(
    stores: Stores, lost: StoredFile
) -> None:
    report = check_quality()
    (missing,) = (check for check in report.checks if check.name == "missing object")
    assert not report.passed
    assert (missing.bad_rows, missing.sample[0]["file_id"]) == (1, str(lost.id))
    with get_client(sync_client=True) as client:
        (page,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["quality"]))
        )
        assert "missing object" in str(page.data)
        assert str(lost.id).replace("-", "\\-") in str(page.data)
        (trend,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["quality-trend"]))
        )
        assert "did not pass" in b64decode(str(trend.data).partition("base64,")[2]).decode()
        (event,) = events_of(client, report.run_id)
    assert {"name": "missing object", "severity": "error", "bad_rows": 1} in event["found"]


def test_every_run_is_kept_with_what_it_found(stores: Stores, lost: StoredFile) -> None:
    first, second = check_quality(), check_quality()
    store = QualityStore(stores.postgres)
    assert [run.id for run in store.page().items] == [second.run_id, first.run_id]
    newest = store.page(limit=1)
    assert [run.id for run in store.page(after=newest.next).items] == [first.run_id]
    assert {run.passed for run in store.page().items} == {False}
    assert sorted(check.name for check in store.results(first.run_id)) == sorted(
        check.name for check in first.checks
    )
    assert [one["bad_rows"] for one in store.history("missing object")] == [1, 1]
    history = read_history()
    assert history.report == second
    assert [run.id for run in history.runs] == [first.run_id, second.run_id]
    assert history.bad_rows["missing object"] == [1, 1]
    assert [run.id for run in read_history(first.run_id).runs] == [first.run_id]


def test_what_stands_still_is_a_warning(stores: Stores, agent_id: str) -> None:
    silent = AgentTask(
        agent_id=agent_id,
        title="a task",
        status=Status.IN_PROGRESS,
        created_at=utcnow() - timedelta(hours=2),
    )
    stores.postgres.store_rows(tasks=[silent])
    with stores.postgres.connection() as connection:
        # What the adapter wrote just now counts as a sign of life.
        connection.execute("UPDATE tasks SET updated_at = now() - interval '2 hours'")
    report = check_quality()
    found = {check.name: check for check in report.found}
    assert found["silent tasks"].severity == "warning"
    assert str(silent.id) in str(found["silent tasks"].sample)
    assert {"evaluation lag", "spool"} <= {check.name for check in report.checks if check.passed}


def test_an_empty_system_does_not_pass(stores: Stores) -> None:
    report = check_quality()
    assert not report.passed
    assert "tasks has rows" in {check.name for check in report.found}


def test_checks_of_ones_own_are_found_by_the_setting(
    stores: Stores, lost: StoredFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.sql").write_text(HEAD + "SELECT id FROM tasks")
    monkeypatch.setenv("AGENTRUNS_CHECKS", str(tmp_path))
    assert "mine" in {check.name for check in check_quality().found}
    (tmp_path / "mine.sql").write_text("SELECT id FROM tasks")
    with pytest.raises(CheckFaulty, match=r"mine\.sql"):
        check_quality()


def test_a_second_check_at_the_same_time_is_refused(stores: Stores) -> None:
    with InventoryStore(stores.postgres).only_run(), pytest.raises(QualityRunning):
        check_quality()


def events_of(client: SyncPrefectClient, run_id: UUID) -> list[dict[str, Any]]:
    """What automations were told of a run, which the server keeps after a moment."""
    wanted = {"filter": {"event": {"name": [FAILED]}}}
    for _ in range(60):
        answer = client._client.post("/events/filter", json=wanted).json()
        payloads = [event["payload"] for event in answer["events"]]
        if found := [payload for payload in payloads if payload["run_id"] == str(run_id)]:
            return found
        time.sleep(0.5)
    pytest.fail("the server has not heard of the event")
