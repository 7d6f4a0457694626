"""`agentruns migrate run` while a store or the Prefect server goes away."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

import pytest

from apps.stack import Stack
from storage.settings import Settings
from tests.faults.conftest import Proxied, behind_proxies
from tests.faults.proxy import Proxy
from tests.integration.bad_runs import run as leave_run
from tests.integration.test_cli import SCRIPT, Run, own_spool, prefect, run

__all__ = ["own_spool", "prefect", "run"]  # fixtures of other files


#: As long the Prefect server is away.
SECONDS = 3.0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        leave_run(tmp_path / "runs", name)
    return tmp_path / "runs"


@pytest.fixture
def told(source: Path, agent_id: str) -> list[str]:
    return ["migrate", "run", str(source), "--agent", agent_id, "--json"]


@pytest.fixture
def proxied(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxied]:
    """Every store behind a proxy, as the command's environment names it."""
    with behind_proxies(settings) as proxied:
        for name, value in proxied.environment.items():
            monkeypatch.setenv(name, value)
        yield proxied


def test_a_store_that_goes_away_ends_the_run_with_a_sentence_and_the_next_goes_on(
    run: Run, prefect: Stack, proxied: Proxied, told: list[str]
) -> None:
    proxied.minio.cut_request(b"PUT /screenshots/", proxied.minio.refuse)
    away = run(*told)
    assert proxied.minio.cuts == 1
    assert (away.code, away.out, len(away.err.strip().splitlines())) == (3, "", 1), away.err
    assert "MinIO" in away.err
    proxied.minio.forward()
    done = run(*told)
    assert (done.code, done.json()["items"]["verified"]) == (0, 2), done.err


def test_a_prefect_server_that_is_away_for_a_while_is_waited_for(
    run: Run,
    prefect: Stack,
    proxied: Proxied,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = prefect.environment()["PREFECT_API_URL"]
    port = urlsplit(address).port or 0
    with Proxy(port) as server:
        monkeypatch.setenv("PREFECT_API_URL", address.replace(f":{port}/", f":{server.port}/"))
        proxied.minio.cut_request(b"PUT /screenshots/", lambda: away_for_a_while(server))
        done = run(*told)
        assert proxied.minio.cuts == 1
    assert (done.code, done.json()["items"]["verified"]) == (0, 2), done.err


def test_a_run_that_is_killed_while_it_copies_is_gone_on_with_at_once(
    run: Run, prefect: Stack, proxied: Proxied, told: list[str]
) -> None:
    process = subprocess.Popen([SCRIPT, *told], stdout=subprocess.DEVNULL)
    proxied.minio.cut_request(b"PUT /screenshots/", process.kill)
    assert process.wait(60) == -signal.SIGKILL
    done = run(*told)
    assert (done.code, done.json()["items"]["verified"]) == (0, 2), done.err
    assert done.json()["steps"][1]["items"] == 2  # each counted once


def away_for_a_while(server: Proxy) -> None:
    server.refuse()
    Timer(SECONDS, server.forward).start()
