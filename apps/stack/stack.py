"""Real servers on this machine, without containers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from apps.stack.credentials import kept_credentials, read_credentials
from apps.stack.errors import StackError
from apps.stack.folders import Folders
from apps.stack.locking import locked
from apps.stack.ports import becomes_free, kept_ports, owner_of, read_ports
from apps.stack.postgres_home import PostgresHome
from apps.stack.processes import (
    PATIENCE_SECONDS,
    Process,
    end_processes,
    find_processes,
    wait_for_end,
)
from apps.stack.progress import Say, say_on_stderr
from apps.stack.publishing import ENVIRONMENTS, open_stores, publish
from apps.stack.servers.minio import MinioServer
from apps.stack.servers.mongo import MongoServer
from apps.stack.servers.postgres import PostgresServer
from apps.stack.servers.prefect import PrefectServer, PrefectWorker
from apps.stack.servers.server import Server, Site
from apps.stack.states import PROBE_SECONDS, StackStatus, states_of
from apps.stack.supervising import Supervisor
from apps.stack.tailing import following_lines, last_lines
from apps.stack.waiting import wait_until_settled

STORES: tuple[type[Server], ...] = (MongoServer, PostgresServer, MinioServer)
#: In the order in which they start.
SERVERS: tuple[type[Server], ...] = (*STORES, PrefectServer, PrefectWorker)
#: A first start may build MinIO.
LOCK_SECONDS = 1800
#: A machine that has just started five servers is slow to answer.
PATIENT_SECONDS = 15


class Stack:
    """The local servers of one home."""

    def __init__(self, home: Path, say: Say = say_on_stderr) -> None:
        self._folders = Folders(Path(home).expanduser().resolve())
        self._supervisor = Supervisor(self._folders)
        self._say = say

    @property
    def home(self) -> Path:
        """The folder of these servers."""
        return self._folders.home

    def up(self, *, prefect: bool = True) -> StackStatus:
        """Start what does not run; harmless and quick when everything runs.

        The stores belong to AGENTRUNS_ENVIRONMENT from their first start on, `dev` by default.

        Raises:
            StackError: when a server cannot be started; the message says why and what to do.
            AnotherEnvironment: when AGENTRUNS_ENVIRONMENT names another one than they belong to.
        """
        with self._changing():
            site = self._site()
            with self._undone_if_interrupted():
                self._start([kind(site) for kind in self._wanted(prefect=prefect)])
            site = open_stores(site, os.environ.get("AGENTRUNS_ENVIRONMENT"))
            publish(site)
            return self._status(site, PATIENT_SECONDS)

    def renamed(self, environment: str) -> None:
        """Tell those who use the servers that the stores belong to another environment now."""
        with self._changing():
            if site := self._known_site():
                publish(replace(site, environment=environment))

    def down(self) -> list[str]:
        """Stop every server, gently where possible; gives the names of those that ran."""
        if not self._folders.lock.exists():
            return []
        with self._changing():
            return self._stop()

    def reset(self) -> list[str]:
        """Stop every server and delete their data, logs, ports and credentials."""
        if not self._folders.lock.exists():
            return []
        with self._changing():
            stopped = self._stop()
            self._delete()
        return stopped

    def status(self) -> StackStatus:
        """What runs where, as supervisor and the servers themselves say."""
        if (site := self._known_site()) is None:
            home = str(self._folders.home)
            return StackStatus(ready=False, home=home, prefect_ui=None, servers=[])
        return self._status(site, PROBE_SECONDS)

    def tail(self, name: str, lines: int = 50, *, follow: bool = False) -> Iterator[str]:
        """The end of a server's log, and everything after it when it is to be followed.

        Raises:
            StackError: when there is no such server.
        """
        names = [kind.name for kind in SERVERS]
        if name not in names:
            raise StackError(f"there is no server '{name}': choose one of {', '.join(names)}")
        log = self._folders.log(name)
        if not log.exists():
            raise StackError(f"{name} has no log yet: start it with 'agentruns up'")
        end = iter(last_lines(log, lines).splitlines())
        return _chained(end, following_lines(log)) if follow else end

    def environment(self, component: str = "operator") -> dict[str, str]:
        """What somebody who uses the servers as one of the components sets, by name.

        Raises:
            StackError: when the servers were never started.
        """
        if (site := self._known_site()) is None:
            raise StackError("the local servers were never started: run 'agentruns up'")
        return ENVIRONMENTS[component](site)

    def _status(self, site: Site, seconds: float) -> StackStatus:
        kept = self._supervisor.states()
        kinds = [kind for kind in SERVERS if not kept or kind.name in kept]
        servers = states_of([kind(site) for kind in kinds], kept, seconds)
        prefect = PrefectServer in kinds
        return StackStatus(
            ready=all(server["state"] == "running" for server in servers),
            home=str(self._folders.home),
            prefect_ui=f"http://{site.address(PrefectServer.name)}" if prefect else None,
            servers=servers,
        )

    def _start(self, servers: list[Server]) -> None:
        if not self._supervisor.answers():
            self._clear_the_way(servers)
        programs = {server.name: server.program() for server in servers}
        self._supervisor.keep(programs)
        for server in servers:
            # The worker gives up without its server; the others do not know each other.
            if isinstance(server, PrefectWorker):
                self._settle(servers[: servers.index(server)])
            self._supervisor.start(server.name)
        self._settle(servers)

    def _settle(self, servers: list[Server]) -> None:
        for server in servers:
            wait_until_settled(server, self._supervisor)

    def _clear_the_way(self, servers: list[Server]) -> None:
        """End what a killed supervisor left behind, then insist on our ports."""
        end_processes(self._processes())
        for server in servers:
            port = server.site.ports[server.name] if server.listens else None
            if port is not None and not becomes_free(port):
                raise StackError(
                    f"port {port}, which {server.title} of {self._folders.home} has kept, is taken "
                    f"by {owner_of(port)}: end that program, or delete {self._folders.ports} "
                    "to have new ports chosen; then run 'agentruns up' again"
                )

    def _stop(self) -> list[str]:
        running = [name for name, kept in self._supervisor.states().items() if kept.pid]
        kept = self._supervisor.pids()
        self._supervisor.stop()
        wait_for_end([each for each in self._processes() if each.pid in kept], PATIENCE_SECONDS + 5)
        # What flows started, and what a killed supervisor left behind.
        if stubborn := end_processes(self._processes()):
            raise StackError(
                f"processes {stubborn} could not be ended: end them as their owner or as root"
            )
        return running

    def _delete(self) -> None:
        PostgresHome.of(self._folders).remove()
        self._folders.remove()

    def _wanted(self, *, prefect: bool) -> tuple[type[Server], ...]:
        # Whoever needs the stores only must not take Prefect away from somebody else.
        return SERVERS if prefect or PrefectServer.name in self._supervisor.states() else STORES

    def _processes(self) -> list[Process]:
        data = PostgresHome.of(self._folders).data
        return find_processes(self._folders.home, data)

    def _site(self) -> Site:
        ports = kept_ports(self._folders.ports, [kind.name for kind in SERVERS if kind.listens])
        credentials = kept_credentials(self._folders.credentials)
        return Site(self._folders, ports, credentials, self._say, self._environment())

    def _known_site(self) -> Site | None:
        ports = read_ports(self._folders.ports)
        credentials = read_credentials(self._folders.credentials)
        if ports is None or credentials is None:
            return None
        return Site(self._folders, ports, credentials, self._say, self._environment())

    def _environment(self) -> str:
        file = self._folders.environment_name
        return file.read_text().strip() if file.exists() else "dev"

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._folders.make()
        waiting = f"waiting for another agentruns that starts or stops {self._folders.home}"
        with locked(self._folders.lock, lambda: self._say(waiting), LOCK_SECONDS):
            # Somebody else may have deleted everything while we were waiting.
            self._folders.make()
            yield

    @contextmanager
    def _undone_if_interrupted(self) -> Iterator[None]:
        ran = self._supervisor.answers()
        try:
            yield
        except BaseException:
            if not ran:
                self._stop()
            raise


def _chained(*parts: Iterator[str]) -> Iterator[str]:
    for part in parts:
        yield from part
