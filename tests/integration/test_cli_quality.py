"""`agentruns check quality`, as people and scripts ask it."""

import io
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from agentruns.models import Bucket, StoredFile, object_path
from apps.stack import Stack
from storage.quality import QualityStore
from storage.stores import Stores
from tests.integration.quality_system import raw_minio
from tests.integration.test_cli import Run, own_spool, prefect, run

__all__ = ["own_spool", "prefect", "run"]  # fixtures of other files

HEAD = "-- name: mine\n-- table: tasks\n-- severity: error\n-- message: It is mine.\n"


@pytest.fixture
def lost(stores: Stores, agent_id: str) -> StoredFile:
    """A row whose object is not there."""
    file = StoredFile(
        agent_id=agent_id,
        bucket=Bucket.SCREENSHOTS,
        object_path=object_path(agent_id, None, "a" * 64, ".png"),
        content_type="image/png",
        size_bytes=1,
        sha256="a" * 64,
    )
    stores.postgres.store_rows(files=[file])
    return file


@pytest.mark.slow
def test_what_is_found_is_one_document_and_an_exit_code(
    run: Run, prefect: Stack, lost: StoredFile
) -> None:
    done = run("check", "quality", "--json")
    told = done.json()
    assert (done.code, told["passed"]) == (1, False)
    assert UUID(told["run_id"])
    assert "report" in told
    (missing,) = (check for check in told["checks"] if check["name"] == "missing object")
    assert {key: missing[key] for key in ("passed", "severity", "bad_rows")} == {
        "passed": False, "severity": "error", "bad_rows": 1
    }  # fmt: skip
    assert missing["sample"][0]["file_id"] == str(lost.id)


@pytest.mark.slow
def test_a_check_that_cannot_be_asked_is_wrong_input_and_no_bad_data(
    run: Run, prefect: Stack, stores: Stores, tmp_path: Path
) -> None:
    (tmp_path / "mine.sql").write_text(HEAD + "SELECT nothing FROM tasks")
    done = run("check", "quality", "--checks", str(tmp_path))
    assert done.code == 2
    assert "'mine'" in done.err
    assert done.err.count("\n") == 1
    (kept,) = QualityStore(stores.postgres).page().items
    assert kept.passed is False
    (tmp_path / "mine.sql").write_text("SELECT id FROM tasks")
    assert "mine.sql is no check" in run("check", "quality", "--checks", str(tmp_path)).err


@pytest.mark.slow
def test_objects_are_read_and_what_they_hold_is_told(
    run: Run, prefect: Stack, stores: Stores, agent_id: str
) -> None:
    path = object_path(agent_id, None, "a" * 64, ".png")
    raw_minio(stores.settings).put_object("screenshots", path, io.BytesIO(b"else"), 4)
    done = run("check", "quality", "--subset", "1/1", "--max-mb-per-s", "50", "--json")
    told = done.json()
    assert done.code == 1
    (read,) = told["deep"]
    assert (read["scope"], read["objects"] > 0) == ("subset 1/1", True)
    found = {check["name"]: check for check in told["checks"]}["content against its name"]
    (row,) = (row for row in found["sample"] if row["object_path"] == path)
    assert (row["expected"], row["found"]) == ("a" * 64, sha256(b"else").hexdigest())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--subset", "31/30"], "n/t"),
        (["--sample", "5", "--subset", "1/30"], "not both"),
        (["--sample", "0"], "Choose 1 or more"),
        (["--deep", "--max-mb-per-s", "0"], "megabytes"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(run: Run, options: list[str], told: str) -> None:
    done = run("check", "quality", *options)
    assert done.code == 2
    assert told in done.err
