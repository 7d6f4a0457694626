"""Supervisor: keeps the servers running and rotates their logs."""

import http.client
import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.proxies import past_proxies
from apps.stack.errors import StackError
from apps.stack.files import write_private
from apps.stack.folders import Folders
from apps.stack.processes import MARK
from apps.stack.servers.server import Program
from apps.stack.supervisor_settings import configuration_text

#: What would make the servers, or the flows that the worker runs, use somebody else's settings.
MISLEADING = ("PREFECT_", "MINIO_", "PG", "MONGODB_", "POSTGRES_", "SUPERVISOR_", "AGENTRUNS_")
#: Seconds; stopping waits for a server to put its data in order.
SLOW = {"stopProcessGroup": 40}
#: What supervisor is already dealing with.
UNDER_WAY = frozenset({"STARTING", "RUNNING", "BACKOFF"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What supervisor knows of a server."""

    state: str
    pid: int | None
    said: str
    """Why it is not running."""


class Supervisor:
    """The supervisor of one home."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            self._call("getState")
        except OSError:
            return False
        return True

    def states(self) -> dict[str, Kept]:
        """Every server that it keeps; none when it does not run."""
        try:
            found = self._call("getAllProcessInfo")
        except OSError:
            return {}
        return {
            each["name"]: Kept(each["statename"], each["pid"] or None, each["description"])
            for each in found
        }

    def pids(self) -> set[int]:
        """Its own process and those of the servers that it keeps."""
        servers = {kept.pid for kept in self.states().values() if kept.pid}
        return servers | {self._call("getPID")} if servers else servers

    def keep(self, programs: Mapping[str, Program]) -> None:
        """Know these programs, and no others; those that already run as told go on."""
        write_private(self._folders.configuration, configuration_text(self._folders, programs))
        if self.answers():
            self._reread()
        else:
            self._start()

    def start(self, name: str) -> None:
        """Run a program unless it runs."""
        if self.states()[name].state not in UNDER_WAY:
            self._call("startProcess", name, False)

    def stop(self) -> None:
        """Tell it to stop the servers and to end."""
        try:
            self._call("shutdown")
        except OSError:
            return

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "supervisor.supervisord"]
        command += ["-c", str(self._folders.configuration)]
        ran = subprocess.run(  # noqa: S603 - a fixed command
            command,
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise StackError(f"supervisor could not be started: {ran.stdout}{ran.stderr}".strip())
        self._wait_for_socket(seconds=10)

    def _wait_for_socket(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > deadline:
                raise StackError(
                    f"supervisor does not answer: see {self._folders.log('supervisord')}, "
                    "run 'agentruns down', then 'agentruns up'"
                )
            time.sleep(0.05)

    def _reread(self) -> None:
        [[added, changed, removed]] = self._call("reloadConfig")
        for name in (*changed, *removed):
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(MISLEADING)}
        return {
            **own,
            **past_proxies(own),
            "PYTHONUTF8": "1",
            MARK: str(self._folders.home),
        }

    def _call(self, method: str, *values: Any) -> Any:
        transport = _SocketTransport(str(self._folders.socket), SLOW.get(method, 2))
        with xmlrpc.client.ServerProxy("http://supervisor", transport=transport) as proxy:
            try:
                return getattr(proxy.supervisor, method)(*values)
            except xmlrpc.client.Fault as fault:
                raise StackError(
                    f"supervisor refused {method}{values}: {fault.faultString}"
                ) from None
            except (xmlrpc.client.ProtocolError, http.client.HTTPException) as error:
                raise ConnectionError(str(error)) from error


class _SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a socket of this machine."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__()
        self._path = path
        self._seconds = seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _SocketConnection(self._path, self._seconds)
        # Where the base class looks for what it has to close.
        self._connection = host, connection
        return connection


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
