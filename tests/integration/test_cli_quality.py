"""`agentruns check quality`, as people and scripts ask it."""

import io
import json
import subprocess
import sys
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from agentruns.models import AgentTask, Bucket, StoredFile, object_path
from apps.cli.quality_reports import left_in_files
from apps.stack import Stack
from quality.check_files import checks_in
from quality.checking import run_checks
from storage.quality import QualityStore
from storage.stores import Stores
from tests.integration.test_cli import Run, own_spool, prefect, run
from tests.raw_stores import raw_minio

__all__ = ["own_spool", "prefect", "run"]  # fixtures of other files

EXAMPLE = Path(__file__).parents[2] / "examples" / "call_when_quality_fails.py"
FORGET = (
    "from prefect.automations import Automation;"
    "Automation.read(name='the data did not pass').delete()"
)
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
    run: Run,
    prefect: Stack,
    lost: StoredFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ("--report", "page.html", "--prometheus", "q.prom")
    done = run("check", "quality", "--json", *files)
    told = done.json()
    assert (done.code, told["passed"]) == (1, False)
    assert UUID(told["run_id"])
    assert told["report"] == "page.html"
    assert str(lost.id) in Path("page.html").read_text()
    assert 'check="missing object",severity="error"' in Path("q.prom").read_text()
    (missing,) = (check for check in told["checks"] if check["name"] == "missing object")
    assert {key: missing[key] for key in ("passed", "severity", "bad_rows")} == {
        "passed": False, "severity": "error", "bad_rows": 1
    }  # fmt: skip
    assert missing["sample"][0]["file_id"] == str(lost.id)
    later = run("check", "report", told["run_id"], "--to", "later.html", "--json")
    assert later.code == 0
    assert later.json() == told | {"report": "later.html"}
    assert str(lost.id) in Path("later.html").read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("report",), "--to FILE"),
        (("report", "--to", "page.html"), "run 'agentruns check quality'"),
        (("report", str(UUID(int=9)), "--to", "page.html"), str(UUID(int=9))),
        (("report", "x", "--to", "page.html"), "is a UUID"),
        (("quality", "--report", "nowhere/page.html"), "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    run: Run, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words, why
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("check", *words)
    assert done.code == 2
    assert why in done.err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_a_check_that_cannot_be_asked_is_wrong_input_and_no_bad_data(
    run: Run, prefect: Stack, stores: Stores, tmp_path: Path
) -> None:
    (tmp_path / "mine.sql").write_text(HEAD + "SELECT nothing FROM tasks")
    page = tmp_path / "page.html"
    done = run("check", "quality", "--checks", str(tmp_path), "--report", str(page))
    assert done.code == 2
    assert "could not be asked" in page.read_text()
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


def test_the_page_after_a_check_is_about_it_however_many_began_and_ended_meanwhile(
    stores: Stores, tmp_path: Path
) -> None:
    page, mine, hourly = tmp_path / "page.html", uuid4(), uuid4()
    store = QualityStore(stores.postgres)
    with left_in_files(page, None) as ran:
        for run_id in (mine, hourly):
            store.open(run_id)
        for run_id in (hourly, mine):
            store.close(run_id, uuid4(), [], passed=True)
        ran(mine)
    assert str(mine) in page.read_text()


def test_a_bad_number_that_json_does_not_know_is_kept_with_what_else_was_found(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    stores.postgres.store_rows(tasks=[AgentTask(agent_id=agent_id, title="a task")])
    (tmp_path / "mine.sql").write_text(f"{HEAD}SELECT 'NaN'::float8 AS x, 0.5::float8 AS y")
    found = run_checks(stores.settings.required("postgres_url"), checks_in(tmp_path))
    store, run_id = QualityStore(stores.postgres), uuid4()
    store.open(run_id)
    store.close(run_id, uuid4(), found, passed=False)
    samples = {check.name: check.sample for check in store.results(run_id)}
    assert samples["mine"] == [{"x": "nan", "y": 0.5}]


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


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is called with."""

    calls: ClassVar[Queue[bytes]] = Queue()

    def do_POST(self) -> None:
        self.calls.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.slow
def test_an_automation_calls_somebody_when_the_data_does_not_pass(
    run: Run, prefect: Stack, lost: StoredFile
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/hook"
        for _ in range(2):  # again, and it still calls once
            subprocess.run([sys.executable, EXAMPLE, address], check=True)
        told = run("check", "quality", "--json").json()
        called = json.loads(Hook.calls.get(timeout=120))
        subprocess.run([sys.executable, "-c", FORGET], check=True)
        server.shutdown()
    assert called["run"] == told["run_id"]
    assert {"name": "missing object", "severity": "error", "bad_rows": 1} in called["found"]
    assert Hook.calls.empty()
