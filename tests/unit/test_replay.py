import filecmp
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentruns.trajectories import CuaReader, Problem

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPLETED = EXAMPLES / "runs" / "2026-11-23_uitars157b_010146_11c0"
CRASHED = EXAMPLES / "runs" / "2026-11-23_computerusepre_010157_2a40"


def replay(*arguments):
    command = [sys.executable, str(EXAMPLES / "replay.py"), *map(str, arguments), "--delay", "0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def files_of(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("run", "code"), [(COMPLETED, 0), (CRASHED, 1)])
def test_a_replayed_run_has_the_recorded_bytes_and_its_end(tmp_path, run, code):
    result = replay(run, "--to", tmp_path)
    assert result.returncode == code
    files = files_of(run)
    assert files_of(tmp_path / run.name) == files
    assert filecmp.cmpfiles(run, tmp_path / run.name, files, shallow=False) == (files, [], [])


def test_a_replay_prints_a_line_for_each_thought_and_action(tmp_path):
    lines = replay(COMPLETED, "--to", tmp_path).stdout.splitlines()
    assert lines[0] == "Task: Open the event-feed page and report what it shows (task 0)"
    assert lines[1] == "Step 0: I will click at 141,684."
    assert lines[-1] == "Done: Prefect Server"
    assert len(lines) == 12


def test_a_replay_that_dies_leaves_half_a_file_and_a_running_run(tmp_path):
    result = replay(COMPLETED, "--to", tmp_path, "--die-at", "15")
    assert result.returncode == -9
    assert "half written" in result.stderr
    run = tmp_path / COMPLETED.name
    assert json.loads((run / "metadata.json").read_text())["status"] == "running"
    problems = [p for p in CuaReader().read(run, "a1") if isinstance(p, Problem)]
    assert {p.path for p in problems} == {"turn_005/0015_screenshot_after.png"}


def test_a_folder_without_a_run_is_wrong_usage(tmp_path):
    result = replay(tmp_path, "--to", tmp_path)
    assert result.returncode == 2
    assert "holds no metadata.json" in result.stderr


def test_the_official_viewer_would_find_turns_answers_and_screenshots(tmp_path):
    """The viewer opens `turn_*/` folders with these file names and nothing else."""
    replay(COMPLETED, "--to", tmp_path)
    run = tmp_path / COMPLETED.name
    answers = list(run.glob("turn_*/*_agent_response.json"))
    pictures = list(run.glob("turn_*/*screenshot_after.png"))
    assert (len(answers), len(pictures)) == (6, 5)
    assert all("output" in json.loads(file.read_text())["response"] for file in answers)
