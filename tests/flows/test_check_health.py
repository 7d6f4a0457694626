"""The health of real stores, well and otherwise."""

from datetime import timedelta
from pathlib import Path

import pytest

from agentruns.models import Health, LogEntry, Status, utcnow
from agentruns.spool import Lane, Rejected, Session, Spool
from flows.check_health import HealthReport, check_health
from quality.local_spool import local_spool
from quality.pipeline import evaluation_lag, picture_link, silent_tasks
from storage.postgres import PostgresAdapter
from storage.stores import Stores

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the spool of this machine would be."""
    monkeypatch.setenv("AGENTRUNS_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def check(report: HealthReport, name: str) -> Health:
    (found,) = (check for check in report.checks if check.name == name)
    return found


def test_all_is_well_with_empty_stores(stores: Stores) -> None:
    report = check_health()
    assert report.healthy, report
    assert not report.away
    assert [check.name for check in report.checks] == [
        "postgres", "mongodb", "minio", "prefect",
        "dead runs", "silent tasks", "evaluation lag", "presigned URL", "spool",
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


def test_a_spool_on_its_way_is_well(folder: Path, agent_id: str) -> None:
    spool_with(folder, agent_id)
    found = local_spool()
    assert found.healthy
    assert found.detail == f"Events in {folder} that wait for their delivery: 1."


def test_a_machine_without_spool_is_well(folder: Path) -> None:
    assert (local_spool().healthy, local_spool().detail) == (True, "No spool on this machine.")
    assert not folder.exists()


def test_a_spool_that_nobody_delivers_is_found(folder: Path, agent_id: str) -> None:
    spool_with(folder, agent_id, created_at=utcnow() - timedelta(minutes=20))
    found = local_spool()
    assert not found.healthy
    assert "Events waiting: 1, the first for 20 minutes; run 'agentruns deliver'" in found.detail


def test_what_was_refused_is_found_and_is_no_store_that_is_away(
    stores: Stores, folder: Path, agent_id: str
) -> None:
    refused = Rejected("x", "s", "LogEntry", agent_id, None, "too large", "{}")
    with spool_with(folder, agent_id).ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {}, {}, [refused])
    report = check_health()
    assert (report.healthy, report.away) == (False, False)
    assert "Refused events: 1; see why with" in check(report, "spool").detail


def test_what_was_damaged_is_found(folder: Path, agent_id: str) -> None:
    spool_with(folder, agent_id)
    kept = folder / "damaged" / "some-0001"
    kept.mkdir(parents=True)
    (kept / "report.json").write_text("{}")
    assert "Damaged pieces kept aside: 1;" in local_spool().detail


def test_a_spool_that_cannot_be_read_is_told(folder: Path, agent_id: str) -> None:
    (spool_with(folder, agent_id).folder / "ledger.db").write_bytes(b"no database" * 1000)
    found = local_spool()
    assert not found.healthy
    assert str(folder) in found.detail


def spool_with(folder: Path, agent_id: str, **fields: object) -> Spool:
    """A spool in which one entry waits."""
    spool = Spool(folder)
    session = Session(spool)
    session.append([LogEntry.model_validate({"agent_id": agent_id, "message": "x"} | fields)])
    session.close()
    return spool
