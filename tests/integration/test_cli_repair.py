"""`agentruns repair`, as people and scripts use it."""

import pytest

from agentruns.models import AgentTask, StoredFile
from apps.stack import Stack
from storage.repair import RepairStore
from storage.stores import Stores
from tests.integration.test_cli import Run, own_spool, prefect, run
from tests.kept import PNG, picture

__all__ = ["own_spool", "prefect", "run"]  # fixtures of other files


@pytest.fixture
def lost(stores: Stores, agent_id: str) -> StoredFile:
    """A row whose object is gone."""
    task = AgentTask(agent_id=agent_id, title="a task", status="completed")
    upload = picture(task, PNG + b"lost")
    assert stores.writer.write([task, upload]).rejected == ()
    stores.minio.delete("screenshots", upload.file.object_path)
    return upload.file


@pytest.mark.slow
def test_a_plan_is_told_done_and_then_there_is_nothing_to_do(
    run: Run, prefect: Stack, lost: StoredFile
) -> None:
    agent = ("--agent", lost.agent_id, "--grace-minutes", "0")
    planned = run("repair", "--json", *agent)
    told = planned.json()
    assert (planned.code, told["applied"]) == (1, False)
    (action,) = told["planned"]
    assert (action["kind"], action["row_id"], action["outcome"]) == (
        "mark missing", str(lost.id), None,
    )  # fmt: skip
    assert "missing object" in {one["check"] for one in told["left"]}

    done = run("repair", "--apply", "--json", *agent).json()
    assert done["applied"]
    assert [action["outcome"] for action in done["planned"]] == ["done"]
    assert done["counts"] == {"mark missing": {"done": 1}}
    assert "missing object" not in {one["check"] for one in done["left"]}
    assert "There is nothing to repair." in run("repair", *agent).out

    shown = run("tasks", "show", str(lost.task_id), "--json").json()
    assert shown["files"] == []
    assert [file["id"] for file in shown["missing_files"]] == [str(lost.id)]
    assert "Lost file" in run("tasks", "show", str(lost.task_id)).out


def test_a_second_repair_is_told_that_another_is_at_work(
    run: Run, prefect: Stack, stores: Stores
) -> None:
    with RepairStore(stores.postgres).only_run():
        done = run("repair", "--apply")
    assert done.code != 0
    assert "Another repair is at work" in done.err
