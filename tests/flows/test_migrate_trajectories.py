"""Folders of old runs are migrated by a flow, as a user starts it."""

import json
import shutil
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.sorting import ArtifactSort

from flows.migrate_trajectories import migrate_trajectories

RUNS = Path(__file__).parents[2] / "examples" / "runs"


@pytest.fixture
def source(tmp_path):
    source = tmp_path / "runs"
    shutil.copytree(RUNS, source)
    (source / "notes.txt").write_text("What we did in May.\n")
    return source


def test_a_folder_is_listed_copied_and_verified(settings, source, agent_id):
    result = migrate_trajectories(str(source), agent_id, deep=True)
    runs = len(list(RUNS.iterdir()))
    assert result.is_good
    assert (result.items["imported"], result.items["archived"]) == (runs, 1)
    assert result.items["deeply_verified"] == runs + 1


def test_a_second_run_imports_only_what_is_new(settings, source, agent_id):
    first = migrate_trajectories(str(source), agent_id)
    new = source / "one more"
    shutil.copytree(next(RUNS.iterdir()), new)
    (new / "turn_000" / "note.txt").write_text("Another run of the same name.\n")
    second = migrate_trajectories(str(source), agent_id)
    assert second.migration_id == first.migration_id
    assert second.items["total"] == first.items["total"] + 1
    assert second.items["pending"] == 0


def test_steps_can_be_taken_one_by_one(settings, source, agent_id):
    listed = migrate_trajectories(str(source), agent_id, steps=("inventory",))
    assert (listed.items["pending"], listed.items["imported"]) == (listed.items["total"], 0)
    copied = migrate_trajectories(str(source), agent_id, steps=("copy",))
    assert (copied.items["pending"], copied.items["verified"]) == (0, 0)
    verified = migrate_trajectories(str(source), agent_id, steps=("verify",))
    assert verified.items["verified"] == verified.items["total"]


def test_people_find_progress_figures_quarantine_and_a_chart_in_prefect(settings, source, agent_id):
    broken = next(path for path in source.iterdir() if path.is_dir())
    for file in broken.rglob("*.json"):
        file.write_text("{")
    result = migrate_trajectories(str(source), agent_id, workers=1, max_mb_per_s=500)
    assert result.quarantined
    with get_client(sync_client=True) as client:
        newest = client.read_artifacts(sort=ArtifactSort.UPDATED_DESC, limit=4)
    left = {artifact.key: artifact for artifact in newest}
    progress = left["migration-progress"]
    assert (progress.type, progress.data) == ("progress", 100)
    figures = {row["what"]: row["figure"] for row in json.loads(left["migration-summary"].data)}
    assert figures["items found"] == result.items["total"]
    assert figures["files hashed"] == result.hashed
    assert "seconds of verify" in figures
    (entry, *_) = json.loads(left["migration-quarantine"].data)
    assert entry["why it was not imported"]
    assert "| cua |" in left["migration"].data


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 99}, {"max_mb_per_s": 0}])
def test_means_that_bring_nothing_are_refused(settings, source, agent_id, wrong):
    with pytest.raises(ValueError, match=r"workers|megabytes"):
        migrate_trajectories(str(source), agent_id, **wrong)


@pytest.mark.parametrize("wrong", ["../x", "", "A"])
def test_what_is_no_agent_id_is_refused(settings, source, wrong):
    with pytest.raises(ValueError, match="agent id"):
        migrate_trajectories(str(source), wrong)


def test_a_source_that_is_no_folder_is_told(settings, tmp_path, agent_id):
    with pytest.raises(Exception, match="is no folder"):
        migrate_trajectories(str(tmp_path / "nowhere"), agent_id)
