"""Folders of old runs are migrated by a flow, as a user starts it."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.sorting import ArtifactSort

from flows.copy_batch import copy_batch
from flows.migrate_trajectories import migrate_trajectories
from storage.errors import SettingsError
from storage.migration.copying import Copied
from tasks import helpers

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


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"workers": 99}, {"max_mb_per_s": 0}, {"fan_out": -1}]
)
def test_means_that_bring_nothing_are_refused(settings, source, agent_id, wrong):
    with pytest.raises(ValueError, match=r"workers|megabytes|runs can help"):
        migrate_trajectories(str(source), agent_id, **wrong)


@pytest.mark.parametrize("wrong", ["../x", "", "A"])
def test_what_is_no_agent_id_is_refused(settings, source, wrong):
    with pytest.raises(ValueError, match="agent id"):
        migrate_trajectories(str(source), wrong)


def test_a_source_that_is_no_folder_is_told(settings, tmp_path, agent_id):
    with pytest.raises(Exception, match="is no folder"):
        migrate_trajectories(str(tmp_path / "nowhere"), agent_id)


def warned(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_it_goes_on_alone_where_prefect_does_not_know_who_could_help(
    settings, source, agent_id, caplog
):
    result = migrate_trajectories(str(source), agent_id, fan_out=2)
    assert result.is_good
    assert any("agentruns deploy" in said for said in warned(caplog))


def test_help_that_never_begins_is_told_and_called_off(
    settings, source, agent_id, caplog, monkeypatch
):
    monkeypatch.setattr(helpers, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(helpers, "_EVERY", 0.0)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="nobody", type="process"))
        deployment = client.create_deployment(
            client.create_flow(copy_batch), name="on-demand", work_pool_name="nobody"
        )
        try:
            assert migrate_trajectories(str(source), agent_id, fan_out=2).is_good
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    deployment_id=FlowRunFilterDeploymentId(any_=[deployment])
                )
            )
        finally:
            client.delete_deployment(deployment)
    assert [run.state.name for run in runs] == ["Cancelled"] * 2
    assert sum("prefect worker start" in said for said in warned(caplog)) == 1


def test_who_comes_to_help_a_run_that_is_gone_does_nothing(settings, source, agent_id):
    listed = migrate_trajectories(str(source), agent_id, steps=("inventory",))
    assert copy_batch(listed.migration_id, uuid4()) == Copied()


def test_who_comes_to_help_without_the_source_fails_with_a_sentence(settings, source, agent_id):
    listed = migrate_trajectories(str(source), agent_id, steps=("inventory",))
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(SettingsError, match="is no folder"):
        copy_batch(listed.migration_id, uuid4())
