"""The health of real stores, well and otherwise."""

from datetime import timedelta

import pytest

from agentruns.models import Health, Status, utcnow
from flows.check_health import HealthReport, check_health
from quality.pipeline import evaluation_lag, picture_link, silent_tasks
from storage.postgres import PostgresAdapter
from storage.stores import Stores

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


def check(report: HealthReport, name: str) -> Health:
    (found,) = (check for check in report.checks if check.name == name)
    return found


def test_all_is_well_with_empty_stores(stores: Stores) -> None:
    report = check_health()
    assert report.healthy, report
    assert not report.away
    assert [check.name for check in report.checks] == [
        "postgres", "mongodb", "minio", "prefect", "silent tasks", "evaluation lag", "presigned URL"
    ]  # fmt: skip
    assert "no screenshot" in check(report, "presigned URL").detail


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("postgres", "POSTGRES_URL", "postgresql://nobody:secret@127.0.0.1:9/none"),
        ("mongodb", "MONGODB_URL", "mongodb://nobody:secret@127.0.0.1:9/"),
        ("minio", "MINIO_ENDPOINT", "127.0.0.1:9"),
    ],
)
def test_a_store_that_is_away_is_data_not_a_crash(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, name: str, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    report = check_health()
    assert (report.healthy, report.away) == (False, True)
    assert not check(report, name).healthy
    assert "secret" not in report.model_dump_json()


def test_a_task_that_fell_silent_is_found(postgres: PostgresAdapter, agent_id: str) -> None:
    began = utcnow() - timedelta(hours=1)
    task = postgres.create_task(agent_id, "Silent", status=Status.IN_PROGRESS, created_at=began)
    assert silent_tasks(postgres).healthy
    found = silent_tasks(postgres, timedelta(seconds=-1))
    assert not found.healthy
    assert str(task.id) in found.detail


def test_a_task_that_just_began_is_not_silent(postgres: PostgresAdapter, agent_id: str) -> None:
    postgres.create_task(agent_id, "New", status=Status.IN_PROGRESS)
    assert silent_tasks(postgres, timedelta(seconds=30)).healthy


def test_a_task_that_waits_for_a_verdict_is_found(postgres: PostgresAdapter, agent_id: str) -> None:
    ended = utcnow() - timedelta(hours=2)
    times = {"created_at": ended, "status_at": ended}
    task = postgres.create_task(agent_id, "Ended", status=Status.COMPLETED, **times)
    found = evaluation_lag(postgres)
    assert not found.healthy
    assert str(task.id) in found.detail
    assert evaluation_lag(postgres, timedelta(hours=3)).healthy
    postgres.create_evaluation(
        task_id=task.id, agent_id=agent_id, scorer="outcome", scorer_version="1", score=1.0
    )
    assert evaluation_lag(postgres).healthy


def test_a_screenshot_is_really_fetched(stores: Stores, agent_id: str) -> None:
    task = stores.postgres.create_task(agent_id, "Look")
    path = stores.minio.upload_screenshot(file_data=PNG, task_id=task.id, agent_id=agent_id)
    found = picture_link(stores.postgres, stores.minio)
    assert found.healthy, found
    assert f"{len(PNG)} bytes" in found.detail
    stores.minio.delete("screenshots", str(path))
    found = picture_link(stores.postgres, stores.minio)
    assert not found.healthy
    assert "is gone" in found.detail
