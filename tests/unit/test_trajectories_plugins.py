"""A format that another package teaches us: one file and an entry point."""

import logging

import pytest

from agentruns.models import AgentTask, imported_id
from agentruns.trajectories import all_readers, find_items, find_reader
from agentruns.trajectories.plugins import plugged_in

READER = '''
"""Reads the runs of a tool that keeps a text file each."""

from agentruns.models import AgentTask, imported_id


class DiaryReader:
    name = "diary"

    def recognise(self, path):
        return path.suffix == ".diary"

    def items(self, folder):
        return iter(sorted(folder.rglob("*.diary")))

    def files(self, item):
        return iter([item])

    def read(self, item, agent_id, task_id=None, **options):
        made = task_id or imported_id("diary", agent_id, item.name)
        yield AgentTask(id=made, agent_id=agent_id, title=item.read_text())


class Broken:
    name = "broken"
'''


def install(site, entry_points):
    """A small package as pip would leave it."""
    (site / "diary_reader.py").write_text(READER)
    about = site / "diary_reader-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: diary-reader\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[agentruns.trajectory_readers]\n{entry_points}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    plugged_in.cache_clear()
    yield site
    plugged_in.cache_clear()


def test_a_reader_of_another_package_is_found_and_used(site, tmp_path):
    install(site, "diary = diary_reader:DiaryReader")
    (tmp_path / "runs").mkdir()
    run = tmp_path / "runs" / "monday.diary"
    run.write_text("Booked a flight")
    reader = find_reader(run)
    assert reader is not None
    assert reader.name == "diary"
    assert [found.path for found in find_items(tmp_path / "runs")] == [run]
    (task,) = reader.read(run, "a1")
    assert isinstance(task, AgentTask)
    assert task.id == imported_id("diary", "a1", run.name)


@pytest.mark.parametrize(
    "point", ["x = nowhere:Reader", "x = diary_reader:nothing", "x = diary_reader:Broken"]
)
def test_a_broken_plug_in_is_told_and_costs_nothing_else(site, caplog, point):
    install(site, f"{point}\nz = diary_reader:DiaryReader")
    with caplog.at_level(logging.WARNING):
        names = [reader.name for reader in all_readers()]
    assert names[-1] == "diary"
    assert "cua" in names
    assert "is left out" in caplog.text
