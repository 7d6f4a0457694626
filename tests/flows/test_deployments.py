"""prefect.yaml on a real Prefect server with a real worker."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterId,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from agentruns.models import Status, utcnow
from apps.deploying import DeploymentError, deploy
from apps.scheduling import keep_in_step, kept_in_step, leave
from apps.stack import Stack
from storage.errors import SettingsError
from storage.migration.store import migration_id_of
from storage.postgres import PostgresAdapter

RUNS = Path(__file__).parents[2] / "examples" / "runs"
RECORDING = "record-agent-run/on-demand"
HELPING = "copy-batch/on-demand"
NAMES = [
    "evaluate-tasks/every-15-minutes",
    "check-health/every-5-minutes",
    "check-quality/hourly",
    "check-quality/nightly",
    "deliver-spools/every-5-minutes",
    "retire-keys/every-5-minutes",
    "finish-deletions/every-5-minutes",
    "prune-audit/nightly",
    "apply-retention/nightly",
    "provision-agent/on-demand",
    "delete-agent/on-demand",
    "repair-records/on-demand",
    RECORDING,
    "migrate-trajectories/on-demand",
    HELPING,
]


@pytest.fixture(scope="module")
def environment(stack: Stack) -> dict[str, str]:
    """The stack with Prefect and its worker, and our deployments on it, applied twice."""
    stack.up()
    environment = stack.environment()
    assert deploy(environment) == NAMES
    assert deploy(environment) == NAMES
    return environment


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[SyncPrefectClient]:
    """A client of that server."""
    settings = {
        PREFECT_API_URL: environment["PREFECT_API_URL"],
        PREFECT_API_AUTH_STRING: environment["PREFECT_API_AUTH_STRING"],
    }
    with temporary_settings(settings), get_client(sync_client=True) as client:
        yield client


@pytest.mark.slow
def test_deploying_twice_leaves_each_deployment_with_one_schedule(
    client: SyncPrefectClient,
) -> None:
    crons = {}
    for name in NAMES:
        deployment = client.read_deployment_by_name(name)
        assert deployment.description
        assert deployment.work_pool_name == "agentruns"
        crons[name] = [schedule.schedule.cron for schedule in deployment.schedules]
    often = ["*/5 * * * *"]
    crons_of = [["*/15 * * * *"], often, ["41 * * * *"], ["11 2 * * *"], often, often, often]
    crons_of += [["17 3 * * *"], ["47 2 * * *"], *[[]] * 6]
    assert list(crons.values()) == crons_of


@pytest.mark.slow
def test_every_parameter_is_explained(client: SyncPrefectClient) -> None:
    schema = client.read_deployment_by_name(RECORDING).parameter_openapi_schema
    described = {name: one.get("description") for name, one in schema["properties"].items()}
    assert set(described) == {
        "agent_id", "command", "title", "description", "watch", "attempts", "task_id", "metadata"
    }  # fmt: skip
    assert all(described.values()), described


@pytest.mark.slow
def test_the_worker_runs_what_is_scheduled(client: SyncPrefectClient) -> None:
    deployment = client.read_deployment_by_name(NAMES[1])
    began = utcnow()
    often = IntervalSchedule(interval=timedelta(seconds=10))
    (schedule,) = client.create_deployment_schedules(deployment.id, [(often, True)])
    try:
        run = _first_completed(client, deployment.id, began)
    finally:
        client.delete_deployment_schedule(deployment.id, schedule.id)
    assert run.auto_scheduled


@pytest.mark.slow
def test_a_source_is_kept_in_step_until_it_is_left(
    environment: dict[str, str], client: SyncPrefectClient, agent_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "runs"
    shutil.copytree(RUNS, source)
    began = utcnow()
    kept = keep_in_step(str(source), agent_id, timedelta(seconds=10), {})
    try:
        assert deploy(environment) == NAMES  # leaves it as it is
        assert kept in kept_in_step()
        deployment = client.read_deployment_by_name(kept.deployment)
        _first_completed(client, deployment.id, began)
    finally:
        assert leave(str(source), agent_id) == [kept]
    assert leave(str(source), agent_id) == []
    with PostgresAdapter(environment["POSTGRES_URL"]) as postgres:
        assert len(postgres.get_tasks(agent_id=agent_id)) == len(list(RUNS.iterdir()))


@pytest.mark.slow
def test_workers_of_the_pool_help_with_a_migration(
    environment: dict[str, str], client: SyncPrefectClient, agent_id: str, tmp_path: Path
) -> None:
    """A limit makes it last a minute for one process, so that there is time to begin to help."""
    for number in range(20):
        folder = tmp_path / "runs" / f"notes {number}"
        folder.mkdir(parents=True)
        for file in range(600):  # a batch
            (folder / f"{file}.bin").write_bytes(random.Random(file).randbytes(100))
    _agentruns(
        environment,
        *("migrate", "run", str(tmp_path / "runs"), "--agent", agent_id, "--fan-out", "2"),
        *("--workers", "1", "--max-mb-per-s", "0.02"),
    )
    with PostgresAdapter(environment["POSTGRES_URL"]) as postgres:
        archives = postgres.get_binary_files(bucket="binaries", agent_id=agent_id)
    assert len(archives) == 20
    made = str(migration_id_of(tmp_path / "runs", agent_id))
    deployment = client.read_deployment_by_name(HELPING)
    wanted = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]))
    runs = [one.id for one in client.read_flow_runs(flow_run_filter=wanted)
            if one.parameters["migration_id"] == made]  # fmt: skip
    assert len(runs) == 2
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=runs))
    copied = [task for task in client.read_task_runs(flow_run_filter=wanted)
              if task.name.startswith("copy_items")]  # fmt: skip
    assert 0 < len(copied) < 20


@pytest.mark.slow
def test_a_line_of_cron_replaces_how_often(client: SyncPrefectClient, agent_id: str) -> None:
    keep_in_step("/srv/runs", agent_id, timedelta(hours=1), {})
    kept = keep_in_step("/srv/runs", agent_id, "17 3 * * *", {"format": "cua"})
    try:
        assert (kept.cron, kept.every_seconds) == ("17 3 * * *", None)
        assert [one for one in kept_in_step() if one.agent_id == agent_id] == [kept]
        with pytest.raises(SettingsError, match="no line of cron"):
            keep_in_step("/srv/runs", agent_id, "every day", {})
    finally:
        leave("/srv/runs", None)


@pytest.mark.slow
def test_a_run_by_hand_is_recorded(environment: dict[str, str], agent_id: str) -> None:
    with PostgresAdapter(environment["POSTGRES_URL"]) as postgres:
        _prefect(
            environment,
            *("deployment", "run", RECORDING, "--watch", "--watch-timeout", "80"),
            *("--param", f"agent_id={agent_id}"),
            *("--param", f"command={json.dumps(['echo', 'by hand'])}"),
        )
        (task,) = postgres.get_tasks(agent_id=agent_id).items
    assert (task.title, task.status) == ("echo 'by hand'", Status.COMPLETED)


def test_a_server_that_is_away_is_told_as_such() -> None:
    start = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        deploy({"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert time.monotonic() - start < 20


def test_no_server_at_all_is_a_missing_setting() -> None:
    with pytest.raises(SettingsError, match="PREFECT_API_URL"):
        deploy({})


@pytest.mark.slow
def test_a_wrong_password_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises((httpx.HTTPStatusError, DeploymentError), match="401"):
        deploy(environment | {"PREFECT_API_AUTH_STRING": "nobody:nothing"})


def _first_completed(client: SyncPrefectClient, deployment: UUID, began: object) -> FlowRun:
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        start_time=FlowRunFilterStartTime(after_=began),
    )
    for _ in range(80):
        runs = client.read_flow_runs(flow_run_filter=wanted)
        # Others were called off, as they came due while one was running.
        if completed := [run for run in runs if run.state and run.state.is_completed()]:
            return completed[0]
        time.sleep(1)
    pytest.fail(f"no scheduled run completed within 80 s: {runs}")


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    _python(environment, "prefect", "--no-prompt", *arguments)


def _agentruns(environment: dict[str, str], *arguments: str) -> None:
    _python(environment, "apps.cli", *arguments)


def _python(environment: dict[str, str], module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
