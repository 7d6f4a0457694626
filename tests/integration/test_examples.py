"""The examples do what they say, on the real stores."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from agentruns.spool import Spool
from storage.mongo import MongoAdapter

if TYPE_CHECKING:
    from storage.postgres import PostgresAdapter
    from storage.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def spool(settings: "Settings", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spool of the test's own, on the way to the stores of the test."""
    monkeypatch.setenv("AGENTRUNS_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def test_the_smallest_example_records_one_of_everything(
    postgres: "PostgresAdapter", agent_id: str, tmp_path: Path, spool: Path
) -> None:
    program = tmp_path / "record_minimal.py"
    text = (EXAMPLES / "record_minimal.py").read_text()
    program.write_text(text.replace('"browser-1"', f'"{agent_id}"'))
    ended = subprocess.run(
        [sys.executable, program], env=os.environ, capture_output=True, text=True, check=True
    )
    assert "pending 0" in ended.stdout, ended.stderr + (spool / "delivery.log").read_text()
    task_id = UUID(re.findall(r"task (\S+):", ended.stdout)[0])
    task = postgres.get_task(task_id)
    assert task
    assert (task.title, task.status) == ("Book a flight", "completed")
    assert task.metadata["site"] == "flights.example"
    assert [one.message for one in postgres.get_task_progress(task_id)] == ["logged in", "booked"]
    files = postgres.get_binary_files(task_id=task_id)
    assert {file.metadata["name"] for file in files} == {"start page", "record_minimal.py"}
    mongo = MongoAdapter(agent_id=agent_id)
    assert [entry.message for entry in mongo.read_logs()] == ["opened the page"]
    assert [memory.content for memory in mongo.read_memories()] == ["prefers aisle seats"]
    mongo.close()
    _until_over(spool)


def _until_over(spool: Path) -> None:
    """The delivery ends by itself once all is delivered, and leaves nothing of the session."""
    deadline = time.monotonic() + 30
    while Spool(spool).delivering():
        assert time.monotonic() < deadline, (spool / "delivery.log").read_text()
        time.sleep(0.1)
    assert Spool(spool).sessions() == []
