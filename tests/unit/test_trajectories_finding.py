import logging
import shutil
from pathlib import Path

import pytest

from agentruns.trajectories import find_items, find_reader, plugins
from tests.unit.organisers import organise_flat

RUNS = Path(__file__).parents[2] / "examples" / "runs"
COMPLETED = RUNS / "2026-11-23_uitars157b_010146_11c0"
CRASHED = RUNS / "2026-11-23_computerusepre_010157_2a40"
READER = """
from agentruns.trajectories import Problem

class NotesReader:
    name = "notes"
    def recognise(self, path):
        return path.suffix == ".notes"
    def items(self, folder):
        return iter(sorted(folder.rglob("*.notes")))
    def files(self, item):
        return iter((item,))
    def read(self, item, agent_id, task_id=None, **options):
        yield Problem(".", None, "Nothing in it.")
        raise ValueError("what the file holds")
"""


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """Two installed packages: one with a reader, one that is broken."""
    site = tmp_path / "site"
    for name, code in (("notes_reader", READER), ("broken_reader", "1 / 0")):
        (site / f"{name}-1.0.dist-info").mkdir(parents=True)
        (site / f"{name}.py").write_text(code)
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(about)
        points = f"[agentruns.trajectory_readers]\n{name} = {name}:NotesReader\n"
        (site / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    plugins.plugged_in.cache_clear()
    yield
    plugins.plugged_in.cache_clear()


def test_formats_side_by_side_are_found_and_no_link_is_followed(tmp_path):
    shutil.copytree(CRASHED, tmp_path / "heap" / "other")
    organise_flat([COMPLETED], tmp_path / "heap")
    shutil.copytree(COMPLETED, tmp_path / "runs" / "a")
    (tmp_path / "link").symlink_to(RUNS)
    assert [(f.reader.name, str(f.path.relative_to(tmp_path))) for f in find_items(tmp_path)] == [
        ("organized_traj", "heap"),
        ("cua", "heap/other"),
        ("cua", "runs/a"),
    ]


def test_another_package_adds_a_format_and_a_broken_one_is_told(plugged, tmp_path, caplog):
    (tmp_path / "a.notes").write_text("x")
    with caplog.at_level(logging.WARNING):
        assert find_reader(tmp_path / "a.notes").name == "notes"
    assert "broken_reader" in caplog.text
    problems = list(find_reader(tmp_path / "a.notes").read(tmp_path / "a.notes", "a1"))
    assert problems[-1].reason == "The reader notes failed with ValueError in read()."
