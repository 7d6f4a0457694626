"""The Prefect server and its worker."""

import json
from importlib.metadata import version

from apps.stack.asking import answer_to
from apps.stack.ports import LOOPBACK
from apps.stack.programs import this_python
from apps.stack.servers.server import Program, Server, Site
from storage.errors import StoreUnavailable

POOL = "agentruns"


def api_url(site: Site) -> str:
    """The address of Prefect's API."""
    return f"http://{site.address(PrefectServer.name)}/api"


def client_environment(site: Site) -> dict[str, str]:
    """What a client of the API needs to know."""
    return {
        "PREFECT_API_URL": api_url(site),
        "PREFECT_API_AUTH_STRING": site.credentials.prefect_auth,
    }


class PrefectServer(Server):
    """One Prefect server on SQLite; its API can run commands, so it asks for a password."""

    name = "prefect"
    title = "the Prefect server"

    def program(self) -> Program:
        """Give it a folder for its database."""
        data = self.site.data(self.name)
        data.mkdir(mode=0o700, exist_ok=True)
        command = (this_python(), "-P", "-m", "prefect", "server", "start")
        return Program(command, data, self._environment())

    def settle(self) -> None:
        """Wait until it serves."""
        self.version(seconds=5)

    def version(self, seconds: float) -> str:
        """What the server says of itself."""
        url = f"{api_url(self.site)}/admin/version"
        return str(json.loads(answer_to(url, seconds, self.site.credentials.prefect_auth)))

    def _environment(self) -> dict[str, str]:
        port = str(self.site.ports[self.name])
        return {
            **prefect_environment(self.site),
            "PREFECT_SERVER_API_HOST": LOOPBACK,
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_SERVER_API_AUTH_STRING": self.site.credentials.prefect_auth,
            "PREFECT_UI_API_URL": api_url(self.site),
            "PREFECT_UI_STATIC_DIRECTORY": str(self.site.data(self.name) / "ui"),
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        }


class PrefectWorker(Server):
    """One worker that runs flows as processes of this machine."""

    name = "worker"
    title = "the Prefect worker"
    listens = False

    @property
    def address(self) -> str:
        """The work pool that it serves."""
        return f"work pool {POOL}"

    def program(self) -> Program:
        """Give it a folder to work in."""
        data = self.site.data(self.name)
        data.mkdir(mode=0o700, exist_ok=True)
        command = (
            *(this_python(), "-P", "-m", "prefect", "worker", "start"),
            *("--pool", POOL, "--type", "process", "--name", "local"),
        )
        environment = {
            **prefect_environment(self.site),
            **client_environment(self.site),
            "AGENTRUNS_HOME": str(self.site.folders.home),
            # In /tmp, the `runner_storage` of the first user shuts out all others.
            "TMPDIR": str(data),
        }
        # Flows run agents, whose files are nobody's secret.
        return Program(command, data, environment, umask="022")

    def settle(self) -> None:
        """Wait until the server has heard of it."""
        self.version(seconds=5)

    def version(self, seconds: float) -> str:
        """Its Prefect version, once the server has heard of it."""
        url = f"{api_url(self.site)}/work_pools/{POOL}/workers/filter"
        answer = json.loads(answer_to(url, seconds, self.site.credentials.prefect_auth, body={}))
        if not any(worker["status"] == "ONLINE" for worker in answer):
            raise StoreUnavailable("the Prefect server has not heard of its worker")
        return version("prefect")


def prefect_environment(site: Site) -> dict[str, str]:
    """What keeps Prefect in its folder and quiet."""
    return {
        "PREFECT_HOME": str(site.data(PrefectServer.name)),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
