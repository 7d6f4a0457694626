"""`agentruns migrate`: folders of old runs, as people and scripts bring them in."""

import hashlib
import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from apps.stack import Stack
from storage.migration import MigrationStore
from storage.migration.steps import Amount, Steps
from storage.settings import Settings
from storage.stores import Stores
from tests.integration.test_cli import (
    SCRIPT,
    Run,
    on_a_terminal,
    own_spool,
    plain,
    prefect,
    read,
    run,
)
from tests.source_buckets import MOVING, bucket_with_key

__all__ = ["own_spool", "prefect", "run"]  # fixtures of other files

RUNS = Path(__file__).parents[2] / "examples" / "runs"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shutil.copytree(RUNS, tmp_path / "runs")
    return tmp_path / "runs"


def test_a_folder_is_listed_imported_looked_at_signed_off_and_rebuilt(
    run: Run, prefect: Stack, settings: Settings, agent_id: str, source: Path, tmp_path: Path
) -> None:
    listed = run("migrate", "inventory", str(source), "--agent", agent_id, "--json")
    assert listed.code == 0
    runs = len(list(RUNS.iterdir()))
    assert listed.json()["formats"] == {"cua": runs}
    assert listed.json()["items"]["pending"] == runs

    key = listed.json()["migration_id"]
    refused = run("migrate", "cutover", key, "--json")
    assert (refused.code, refused.json()["cutover"]) == (1, False)

    seen = plain(on_a_terminal(["migrate", "copy", key]))
    assert "Copying" in seen
    assert f"{runs} of {runs} items" in seen

    done = run("migrate", "run", str(source), "--agent", agent_id, "--deep", "--json")
    assert done.code == 0
    assert [one["step"] for one in done.json()["steps"]] == ["inventory", "copy", "verify"]
    assert done.json()["steps"][2]["files"] == done.json()["files"]["imported"]
    assert done.json()["items"]["deeply_verified"] == runs
    assert done.json()["files"]["imported"] == done.json()["files"]["listed"] + sum(
        path.is_file() for path in RUNS.rglob("*")
    )

    assert run("migrate", "list", "--json").json()["migrations"][0]["migration_id"] == key
    shown = run("migrate", "show", key, "--watch", "--json")
    assert (shown.json()["items"]["imported"], "Nobody is at work" in shown.err) == (runs, True)
    assert (shown.json()["lag"]["items"], shown.json()["lag"]["recording"]) == (0, 0)
    assert run("migrate", "quarantine", key, "--json").json() == {"quarantined": []}
    assert run("migrate", "verify", key, "--json").code == 0
    assert run("migrate", "copy", key, "--json").json()["items"]["pending"] == 0

    signed = run("migrate", "cutover", key, "--json").json()
    assert signed["cutover"]
    unconfirmed = run("migrate", "cutover", key, "--remove-source")
    assert (unconfirmed.code, source.exists()) == (2, True)

    task = run("tasks", "list", "--agent", agent_id, "--json").json()["tasks"][0]["id"]
    rebuilt = run("migrate", "rebuild", task, "--to", str(tmp_path / "again"), "--json").json()
    assert rebuilt["files"] == rebuilt["equal"] + len(rebuilt["redacted"])

    page = tmp_path / "migration.html"
    assert run("migrate", "report", key, "--to", str(page), "--json").json()["report"] == str(page)
    told = page.read_text()
    assert signed["manifest_sha256"] in told
    assert "http" not in told  # it loads nothing from anywhere

    removed = run("migrate", "cutover", key, "--remove-source", "--yes", "--json").json()["removed"]
    assert removed["moved"] == sum(path.is_file() for path in RUNS.rglob("*"))
    assert not source.exists()


def test_a_run_is_watched_from_another_terminal_until_it_ends(
    run: Run, prefect: Stack, stores: Stores, agent_id: str, source: Path
) -> None:
    key = run("migrate", "inventory", str(source), "--agent", agent_id, "--json").json()[
        "migration_id"
    ]
    steps = Steps(stores.postgres)
    leader, follower = pty.openpty()
    with MigrationStore(stores.postgres).only_run(UUID(key)):
        steps.begin(UUID(key), "copy")
        steps.count(UUID(key), "copy", Amount(1, 2, 3, 1))
        watching = subprocess.Popen(
            [SCRIPT, "migrate", "show", key, "--watch"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
        )
        os.close(follower)
        shown = b""
        while b"1 quarantined" not in shown and (news := read(leader)):
            shown += news
    rest = plain(b"".join(iter(lambda: read(leader), b"")).decode())
    os.close(leader)
    assert "1 quarantined" in plain(shown.decode())
    assert (watching.wait(), "items imported" in rest) == (0, True)


def test_bad_input_is_told(run: Run, prefect: Stack, agent_id: str, tmp_path: Path) -> None:
    nowhere = run("migrate", "run", str(tmp_path / "nowhere"), "--agent", agent_id)
    assert (nowhere.code, "is no folder" in nowhere.err) == (2, True)
    unknown = run("migrate", "show", "3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22")
    assert (unknown.code, "agentruns migrate list" in unknown.err) == (2, True)
    assert run("migrate", "show", "x").code == 2
    for wrong in (("--workers", "0"), ("--max-mb-per-s", "0"), ("--max-mb-per-s", "nan")):
        refused = run("migrate", "run", str(tmp_path), "--agent", agent_id, *wrong)
        assert (refused.code, "Choose" in refused.err) == (2, True)
    zone = run("migrate", "run", str(tmp_path), "--agent", agent_id, "--timezone", "Mars")
    assert (zone.code, "no time zone" in zone.err) == (2, True)


def test_a_folder_is_kept_in_step_and_left(
    run: Run, prefect: Stack, settings: Settings, agent_id: str, source: Path
) -> None:
    assert run("deploy", "--json").code == 0
    told = run("migrate", "schedule", str(source), "--every", "12h", "--agent", agent_id, "--json")
    assert (told.code, told.json()["every_seconds"]) == (0, 12 * 3600)
    listed = run("migrate", "schedule", "--list", "--json").json()["schedules"]
    assert told.json() in listed
    left = run("migrate", "schedule", str(source), "--remove", "--agent", agent_id, "--json")
    assert left.json() == {"removed": [told.json()["deployment"]]}
    again = run("migrate", "schedule", str(source), "--remove", "--json")
    assert (again.code, "not kept in step" in again.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="no source"),
        pytest.param(["runs", "--agent", "a"], id="no time"),
        pytest.param(["runs", "--agent", "a", "--every", "1h", "--cron", "0 * * * *"], id="both"),
        pytest.param(["runs", "--agent", "a", "--every", "often"], id="no interval"),
        pytest.param(["runs", "--every", "1h"], id="no agent"),
    ],
)
def test_a_schedule_that_says_too_little_is_wrong_usage(run: Run, words: list[str]) -> None:
    assert run("migrate", "schedule", *words).code == 2


def test_a_prefix_in_a_bucket_is_a_source_like_a_folder(
    run: Run,
    prefect: Stack,
    settings: Settings,
    agent_id: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unset = run("migrate", "run", "s3://old-runs/team", "--agent", agent_id)
    assert (unset.code, "AGENTRUNS_SOURCE_S3_ENDPOINT" in unset.err) == (2, True)
    with bucket_with_key(settings, monkeypatch, MOVING) as bucket:
        contents = bucket.put_tree(source, "team")
        place = f"s3://{bucket.name}/team"
        done = run("migrate", "run", f"{place}/", "--agent", agent_id, "--deep", "--json")
        assert (done.code, done.json()["source"]) == (0, place)
        key = done.json()["migration_id"]
        assert run("migrate", "verify", key, "--json").code == 0
        assert run("migrate", "cutover", key, "--json").json()["cutover"]
        manifest = tmp_path / "manifest.jsonl"
        written = run("migrate", "manifest", key, "--to", str(manifest), "--json").json()
        assert (written["files"], written["signed_off"]) == (len(contents), True)
        lines = [json.loads(line) for line in manifest.read_text().splitlines()]
        assert {f"team/{line['path']}": line["sha256"] for line in lines} == {
            name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
        }
        gone = run("migrate", "cutover", key, "--remove-source", "--yes", "--json").json()
        assert gone["removed"]["moved"] == len(contents)
        again = run("migrate", "run", place, "--agent", agent_id)
        assert (again.code, "holds no object" in again.err) == (2, True)
    assert bucket.secret not in str(done) + str(again)
