"""Spools that were left behind are delivered by a flow."""

import re
from pathlib import Path

import pytest

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, new_id
from agentruns.spool import Session, Spool
from flows.deliver_spools import deliver_spools
from storage.access.agent_settings import settings_of
from storage.access.credentials import credentials_file
from storage.stores import Stores


def left_behind(folder: Path, agent_id: str) -> AgentTask:
    """A spool in which a task and an entry wait; its recorder is gone."""
    task = AgentTask(agent_id=agent_id, title="x")
    session = Session(Spool(folder))
    session.append([task, LogEntry(agent_id=agent_id, task_id=task.id, message="said")])
    session.close()
    return task


def test_every_spool_under_a_folder_is_delivered(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "pods" / "a" / "spool"]
    tasks = [left_behind(folder, agent_id) for folder in folders]
    report = deliver_spools(str(tmp_path))
    assert [spool.folder for spool in report.spools] == [str(folder) for folder in folders]
    assert (report.delivered, report.pending, report.rejected) == (4, 0, 0)
    assert [stores.postgres.get_task(task.id).id for task in tasks] == [task.id for task in tasks]
    assert len(stores.mongo.read_logs(agent_id=agent_id)) == 2
    assert deliver_spools(str(tmp_path)).delivered == 0


def test_a_spool_that_another_delivery_holds_is_left_to_it(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    left_behind(tmp_path / "held", agent_id)
    left_behind(tmp_path / "free", agent_id)
    lock = Spool(tmp_path / "held").delivery_lock()
    assert lock.acquire()
    free, held = deliver_spools(str(tmp_path)).spools
    lock.release()
    assert (free.remark, sum(free.delivered.values())) == ("", 2)
    assert (held.remark, held.delivered) == ("another delivery is at work", {})


def test_a_spool_that_cannot_be_used_does_not_hold_up_the_others(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    left_behind(tmp_path / "a", agent_id)
    (tmp_path / "a" / "FORMAT").write_text("agentruns spool 999\n")
    left_behind(tmp_path / "b", agent_id)
    newer, good = deliver_spools(str(tmp_path)).spools
    assert "upgrade agentruns" in newer.remark
    assert sum(good.delivered.values()) == 2


def test_what_is_refused_is_counted(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    session = Session(Spool(tmp_path))
    session.append([ProgressUpdate(agent_id=agent_id, task_id=new_id())])
    session.close()
    assert deliver_spools(str(tmp_path)).rejected == 1


def test_what_waits_for_a_store_that_is_away_is_counted(
    stores: Stores, agent_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(tmp_path / "spool", agent_id)
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    settings_of(agent_id)  # lets it in
    file = credentials_file(agent_id)
    away = "POSTGRES_URL=postgresql://nobody:secret@127.0.0.1:9/none"
    file.write_text(re.sub("POSTGRES_URL=.*", away, file.read_text()))
    report = deliver_spools(str(tmp_path))
    assert (report.delivered, report.pending) == (1, 1)
    assert "secret" not in report.model_dump_json()


def test_without_a_spool_there_is_nothing_to_do(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "nothing"))
    assert deliver_spools().spools == ()


def test_data_that_is_no_spool_is_not_touched(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    (tmp_path / "minio").mkdir()
    (tmp_path / "minio" / "FORMAT").write_text("something else")
    left_behind(tmp_path / "w" / "x" / "y" / "too-deep", agent_id)
    (tmp_path / "link").symlink_to(tmp_path / "w" / "x" / "y" / "too-deep")
    found = deliver_spools(str(tmp_path)).spools
    assert [spool.folder for spool in found] == []
    assert sorted(one.name for one in (tmp_path / "minio").iterdir()) == ["FORMAT"]
