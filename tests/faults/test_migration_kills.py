"""A migration that is killed at any moment goes on, and ends as one that never was."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.settings import Settings
from tests.faults.migrating import STEPS
from tests.faults.migration_sessions import Session, files_below
from tests.faults.recording_trials import SEED, moments
from tests.integration.bad_runs import run
from tests.source_buckets import MOVING, SourceBucket, bucket_with_key
from tests.unit.foreign_runs import atif, browser_use, osworld, osworld_line

ROOT = Path(__file__).parents[2]
#: Kills of each of the six steps, one part of them in a bucket.
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "4"))
#: Of one step, before it ends.
AT_ONCE = 4
TRASH = re.compile(r"\.migrated-\d{8}T\d{6}Z")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs of several formats, what lies loose, a secret, and a file that is broken."""
    runs = tmp_path / "as it was"
    shutil.copytree(ROOT / "examples" / "runs", runs)
    osworld(runs / "osworld", [osworld_line(step) for step in range(3)])
    browser_use(runs / "browser use")
    atif(runs / "atif")
    run(runs, "with a secret", note="password=hunter2hunter2")
    (run(runs, "broken") / "turn_000" / "0000_agent_response.json").write_text("{")
    (runs / "notes").mkdir()
    (runs / "notes" / "readme.txt").write_text("What we did in May.\n")
    return runs


@pytest.fixture
def in_a_folder(
    settings: Settings, owner_url: str, agent_id: str, runs: Path, tmp_path: Path
) -> Session:
    place = tmp_path / "place"

    def make() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(runs, place / "runs")

    told = (settings, owner_url, agent_id, str(place / "runs"), tmp_path / "rebuilt")
    return Session(*told, make, lambda: files_below(place), ["broken"])


@pytest.fixture
def bucket(
    settings: Settings, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SourceBucket]:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    with bucket_with_key(settings, monkeypatch, MOVING) as bucket:
        bucket.put_tree(runs, "runs")
        yield bucket
    assert list((tmp_path / "scratch").glob("agentruns-scratch-*/*")) == []


def test_a_migration_killed_at_any_moment_ends_as_an_undisturbed_one(
    in_a_folder: Session,
) -> None:
    undisturbed = in_a_folder.undisturbed()
    assert all(_is_trash(name) for name in undisturbed["source"])
    for trial in range(max(1, TRIALS // AT_ONCE)):
        disturbed = in_a_folder.disturbed(moments(f"migration {trial}"), AT_ONCE)
        assert_equal(disturbed, undisturbed)


def test_a_migration_of_a_bucket_killed_at_any_moment_ends_as_an_undisturbed_one(
    settings: Settings, owner_url: str, agent_id: str, bucket: SourceBucket, tmp_path: Path
) -> None:
    first = {name: bucket.get(name) for name in bucket.names()}

    def lying() -> dict[str, bytes]:
        return {name: bucket.get(name) for name in bucket.names()}

    told = (settings, owner_url, agent_id, f"s3://{bucket.name}/runs", tmp_path / "rebuilt")
    session = Session(*told, lambda: None, lying, ["broken"])
    undisturbed = session.undisturbed(STEPS[:-1])
    chance = moments("migration of a bucket")
    for _ in range(max(1, TRIALS // AT_ONCE // 4)):
        assert_equal(session.disturbed(chance, 2, STEPS[:-1]), undisturbed)
    session.do(STEPS[-1], chance, max(2, TRIALS // 4))
    moved = session.left()["source"]
    assert all(_is_trash(name) for name in moved)
    assert {TRASH.sub("", name): content for name, content in moved.items()} == first


def assert_equal(disturbed: dict[str, Any], undisturbed: dict[str, Any]) -> None:
    """Told part by part, as all of it is more than anybody reads."""
    for name, wanted in _without_moment(undisturbed).items():
        found = _without_moment(disturbed)[name]
        lost = [one for one in wanted if one not in found][:3]
        added = [one for one in found if one not in wanted][:3]
        assert found == wanted, f"seed {SEED}: of {name}, not there: {lost}, too many: {added}"


def _without_moment(left: dict[str, Any]) -> dict[str, Any]:
    lying = {TRASH.sub(".trash", name): content for name, content in left["source"].items()}
    return {**left, "source": lying}


def _is_trash(name: str) -> bool:
    return TRASH.search(name) is not None
