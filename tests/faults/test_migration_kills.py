"""A migration that is killed at any moment goes on, and ends as one that never was."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.stores import Stores
from tests.source_buckets import READING, bucket_with_key

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "5"))


def start(source, agent_id):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.migrating", str(source), agent_id],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(source, agent_id):
    process = start(source, agent_id)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said.splitlines()


def kept(settings, agent_id):
    """What is in the stores, without what differs from agent to agent: ids and times."""
    with Stores(settings) as stores:
        with stores.postgres.connection() as connection:
            rows = [
                connection.execute(sql, [agent_id]).fetchall()
                for sql in (
                    "SELECT title, status, started_at, finished_at FROM tasks"
                    " WHERE agent_id = %s ORDER BY 1, 3",
                    "SELECT step, message, timestamp FROM task_progress"
                    " WHERE agent_id = %s ORDER BY 3, 1, 2",
                    "SELECT bucket, size_bytes, sha256, uploaded_at FROM binary_file_metadata"
                    " WHERE agent_id = %s AND metadata ->> 'kind' IS DISTINCT FROM 'archive'"
                    " ORDER BY 1, 3, 4",
                    "SELECT i.path, i.status, i.counts FROM migration_items AS i"
                    " JOIN migrations AS m ON m.id = i.migration_id"
                    " WHERE m.agent_id = %s ORDER BY 1",
                )
            ]
        logs = [
            (entry.created_at, entry.level, entry.message)
            for entry in stores.mongo.read_logs(agent_id=agent_id, limit=1000)
        ]
        objects = sorted(
            info.path.rpartition("/")[2]
            for info in stores.minio.list("screenshots", f"{agent_id}/")
        )
        archives = len(list(stores.minio.list("binaries", f"{agent_id}/")))
    return rows, sorted(logs), objects, archives


@pytest.fixture
def source(tmp_path):
    shutil.copytree(ROOT / "examples" / "runs", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize("trial", range(max(1, TRIALS // 3)))
def test_a_migration_killed_at_any_moment_ends_as_an_undisturbed_one(
    settings, source, agent_id, trial
):
    chance = random.Random(trial)
    for _ in range(3):
        process = start(source, agent_id)
        # At a moment of the work: after so many lines, and then within an item.
        for _ in range(chance.randint(0, 3)):
            process.stdout.readline()
        time.sleep(chance.random() * 0.2)
        process.kill()
        process.communicate()
    said = finished(source, agent_id)
    assert said[-1] == "done"
    again = finished(source, agent_id)
    assert again == ["listed", "done"]  # what is finished is not read again
    undisturbed = f"{agent_id}x"
    finished(source, undisturbed)
    assert kept(settings, agent_id) == kept(settings, undisturbed)


def test_a_migration_of_a_bucket_killed_at_any_moment_leaves_nothing_on_the_disk(
    settings, source, agent_id, tmp_path, monkeypatch
):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    chance = random.Random(agent_id)
    with bucket_with_key(settings, monkeypatch, READING) as bucket:
        bucket.put_tree(source, "runs")
        place = f"s3://{bucket.name}/runs"
        for _ in range(max(2, TRIALS // 2)):
            process = start(place, agent_id)
            for _ in range(chance.randint(0, 2)):
                process.stdout.readline()
            time.sleep(chance.random() * 0.3)
            process.kill()
            process.communicate()
        assert finished(place, agent_id)[-1] == "done"
        assert finished(place, agent_id) == ["listed", "done"]
        undisturbed = f"{agent_id}x"
        finished(place, undisturbed)
    assert kept(settings, agent_id) == kept(settings, undisturbed)
    assert list((tmp_path / "scratch").glob("agentruns-scratch-*/*")) == []
