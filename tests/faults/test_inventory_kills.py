"""An inventory that is killed at any moment goes on, and ends as one that never was."""

import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest

from agentruns.models import Bucket, StoredFile, object_path
from tests.raw_stores import raw_minio

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "4"))
KILLS = 2


def start():
    words = [sys.executable, "-m", "tests.faults.listing"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finished():
    """The inventory that an undisturbed process took."""
    process = start()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return UUID(said.split()[-1])


def kept(stores, snapshot_id):
    """All that is known of an inventory, without its id."""
    asked = (
        "SELECT bucket, object_path, size_bytes, etag, modified_at FROM object_inventory"
        " WHERE snapshot_id = %s ORDER BY 1, 2",
        "SELECT kind, bucket, object_path, file_id, agent, expected, found FROM object_differences"
        " WHERE snapshot_id = %s ORDER BY 1, 2, 3, 4",
        "SELECT bucket, prefix, objects, size_bytes, is_done FROM inventory_parts"
        " WHERE snapshot_id = %s ORDER BY 1, 2",
        "SELECT objects, size_bytes, finished_at IS NOT NULL FROM inventory_snapshots"
        " WHERE id = %s",
    )
    with stores.postgres.connection() as connection:
        return [connection.execute(sql, [snapshot_id]).fetchall() for sql in asked]


@pytest.fixture
def filled(stores, agent_id):
    """Objects of three agents, more than one step each; some without a row, one row without one."""
    client, files = raw_minio(stores.settings), []
    for number in range(60):
        bucket = (Bucket.SCREENSHOTS, Bucket.BINARIES)[number % 2]
        agent = f"{agent_id}-{number % 3}"
        path = object_path(agent, None, f"{number:064x}", ".png")
        client.put_object(bucket.value, path, io.BytesIO(b"x"), 1)
        files.append(
            StoredFile(
                agent_id=agent,
                bucket=bucket,
                object_path=path,
                content_type="image/png",
                size_bytes=1 + (number == 7),
                sha256=f"{number:064x}",
            )
        )
    client.remove_object(files[0].bucket.value, files[0].object_path)
    stores.postgres.store_rows(files=files[:50])
    yield stores
    for file in files:
        client.remove_object(file.bucket.value, file.object_path)


@pytest.mark.parametrize("trial", range(max(1, TRIALS // KILLS)))
def test_an_inventory_killed_at_any_moment_ends_as_an_undisturbed_one(filled, trial):
    undisturbed = kept(filled, finished())
    chance = random.Random(trial)
    for _ in range(KILLS):
        process = start()
        # At a moment of the work: after so many steps, and then within one.
        for _ in range(chance.choice((0, 1, 3, 9, 15, 25))):
            process.stdout.readline()
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.communicate()
    resumed = finished()
    assert kept(filled, resumed) == undisturbed
    _, differences, _, ((objects, _, _),) = undisturbed
    assert {"missing", "orphan", "size differs"} <= {row[0] for row in differences}
    assert objects >= 59
    with filled.postgres.connection() as connection:
        ended = connection.execute("SELECT finished_at IS NOT NULL FROM inventory_snapshots")
        assert {row[0] for row in ended} == {True}
