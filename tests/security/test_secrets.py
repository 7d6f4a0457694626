"""Where a secret must not be: pages, process lists, logs, errors, other users' eyes."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentruns.spool import Spool
from apps.stack import Stack
from storage.settings import Settings
from tests.own_spool import own_spool

pytestmark = pytest.mark.promise(14, by="us")

__all__ = ["own_spool"]  # a fixture of another file

SCRIPT = str(Path(sys.executable).with_name("agentruns"))
SPY = (
    "import os, sys; print(' '.join(f'{name}={value}' for name, value in os.environ.items())); "
    "print('the command got', len(sys.argv[2]), 'characters')"
)
PASSWORD = re.compile(r"://[^:/]+:([^@]+)@")


@pytest.fixture(scope="module")
def prefect(stack: Stack) -> Stack:
    """The servers, Prefect among them."""
    stack.up()
    return stack


@pytest.fixture
def credentials(settings: Settings, stack: Stack) -> set[str]:
    """Every secret of the local servers."""
    known = json.loads((stack.home / "stack/credentials.json").read_text())
    return {str(value).rpartition(":")[2] for name, value in known.items() if "access" not in name}


def agentruns(*words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **changed},
    )


def test_secrets_of_a_command_line_reach_the_command_and_no_store(
    settings: Settings, own_spool: Spool, agent_id: str, credentials: set[str]
) -> None:
    secret = "sk-" + "a1B2c3D4" * 5
    hidden = {secret, "hunter2-hunter2", "t1tle-password"}
    command = [sys.executable, "-c", SPY, "--api-key", secret, "--password=hunter2-hunter2"]

    title = "password=t1tle-password"
    done = agentruns("record", "--agent", agent_id, "--title", title, "--", *command)

    assert done.returncode == 0, done.stderr
    assert f"the command got {len(secret)} characters" in done.stdout
    (task,) = json.loads(agentruns("tasks", "list", "--agent", agent_id, "--json").stdout)["tasks"]
    shown = agentruns("tasks", "show", task["id"], "--json").stdout
    assert "--api-key" in shown
    assert [each for each in hidden | credentials if each in shown] == []
    assert [each for each in credentials if each in done.stdout + done.stderr] == []


def test_a_wrong_password_is_refused_and_in_no_error_and_no_traceback(settings: Settings) -> None:
    wrong = PASSWORD.sub("://agentruns:wr0ng-secret@", settings.required("postgres_url"))

    done = agentruns("--debug", "tasks", "list", POSTGRES_URL=wrong)

    assert done.returncode == 4
    assert "Traceback" in done.stderr
    assert "wr0ng-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("store", ["MONGODB_URL", "POSTGRES_URL", "MINIO_SECRET_KEY"])
def test_a_delivery_that_is_refused_tells_why_and_not_the_password(
    settings: Settings, own_spool: Spool, agent_id: str, tmp_path: Path, store: str
) -> None:
    right = settings.required(store.lower())
    wrong = PASSWORD.sub("://agentruns:wr0ng-secret@", right) if "://" in right else "wr0ng-secret"
    watched = tmp_path / "watched"
    watched.mkdir()
    options = ("--wait", "3", "--agent", agent_id, "--watch", str(watched))

    done = agentruns("record", *options, "--", "touch", str(watched / "file"), **{store: wrong})
    once = agentruns("--debug", "spool", "status", **{store: wrong})

    assert done.returncode == 0
    assert "safe in the spool" in done.stdout
    told = (own_spool.folder / "delivery.log").read_text()
    assert "refuse" in told.lower()
    everything = told + done.stdout + done.stderr + once.stdout + once.stderr
    assert "wr0ng-secret" not in everything


def test_no_log_of_a_server_holds_a_credential(prefect: Stack, credentials: set[str]) -> None:
    logs = [log.read_text(errors="replace") for log in (prefect.home / "stack/logs").glob("*.log*")]
    assert len(logs) >= 5
    assert [each for each in credentials if any(each in log for log in logs)] == []


def test_no_other_user_can_read_a_file_of_the_home(prefect: Stack) -> None:
    readable = [path for path in reachable(prefect.home) if path.stat().st_mode & 0o077]
    assert readable == []


@pytest.mark.promise(14, by="us", control=True)
def test_a_file_that_others_could_read_would_be_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "open").write_text("x")
    (tmp_path / "open").chmod(0o644)
    assert list(reachable(tmp_path)) == [tmp_path / "open"]


def reachable(folder: Path) -> Iterator[Path]:
    """Every file that somebody else could get to, through folders that let others pass."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif stat.S_ISDIR(mode) and mode & 0o011:
            yield from reachable(path)
