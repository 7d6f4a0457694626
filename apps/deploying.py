"""Giving the flows to a Prefect server: work pool, limits, deployments."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml  # type: ignore[import-untyped] # comes with Prefect, its stubs do not
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    temporary_settings,
)

import flows
from apps.stack.servers.prefect import POOL
from storage.errors import SettingsError, StorageError

SECONDS = 300


class DeploymentError(StorageError):
    """Prefect did not take a deployment; the message ends with what it said."""


def deploy(environment: Mapping[str, str] | None = None) -> list[str]:
    """Make every flow a deployment of the Prefect server; harmless to repeat.

    Args:
        environment: where PREFECT_API_URL and PREFECT_API_AUTH_STRING are; this process's own
            by default.

    Returns:
        The deployments by name, such as `check-health/every-5-minutes`.

    Raises:
        SettingsError: when no Prefect server is named.
        httpx.HTTPError: when it does not answer, or refuses us.
        DeploymentError: when it does not take one of them.
    """
    environment = os.environ if environment is None else environment
    if not environment.get("PREFECT_API_URL"):
        raise SettingsError(
            "PREFECT_API_URL is not set: set it, or start the local servers with 'agentruns up'"
        )
    _create_pool(environment)
    _apply(environment)
    return _names()


def _create_pool(environment: Mapping[str, str]) -> None:
    # Not the settings of this process, which may belong to another server.
    names = (PREFECT_API_URL, PREFECT_API_AUTH_STRING, PREFECT_API_KEY)
    settings = {name: value for name in names if (value := environment.get(name.name))}
    with temporary_settings(settings), get_client(sync_client=True) as client:
        try:
            client.create_work_pool(
                WorkPoolCreate(name=POOL, type="process", description="Flows on this machine")
            )
        except ObjectAlreadyExists:
            return


def _apply(environment: Mapping[str, str]) -> None:
    """Let Prefect's own command read prefect.yaml, as anybody would by hand."""
    done = subprocess.run(  # noqa: S603 - our own Python, our own file
        [
            *(sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"),
            *("--prefect-file", str(_prefect_file())),
        ],
        # Flows are found from here also where the package is not installed.
        cwd=_root(),
        env={**os.environ, **environment, "NO_COLOR": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise DeploymentError(
            f"Prefect did not take the deployments: {done.stdout.strip()[-2000:]}"
        )


def _names() -> list[str]:
    deployments = yaml.safe_load(_prefect_file().read_text())["deployments"]
    return [f"{_flow_name(one['entrypoint'])}/{one['name']}" for one in deployments]


def _flow_name(entrypoint: str) -> str:
    return str(entrypoint).rpartition(".")[2].replace("_", "-")


def _root() -> Path:
    return Path(flows.__path__[0]).parent


def _prefect_file() -> Path:
    """Beside the flows in an installed package, above them in a checkout."""
    installed = _root() / "flows" / "prefect.yaml"
    return installed if installed.exists() else _root() / "prefect.yaml"
