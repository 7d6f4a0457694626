"""Where the local servers keep what is theirs."""

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from apps.stack.errors import StackError

#: A socket's path has at most 107 bytes, and supervisor first appends its process id.
SOCKET_BYTES = 96
#: What neither supervisor's configuration nor a shell line can carry safely.
AWKWARD = frozenset("\"'\\;#%`$")


@dataclass(frozen=True, slots=True)
class Folders:
    """The files and folders below one home."""

    home: Path

    @property
    def all(self) -> Path:
        """Everything that is ours alone, and goes when the servers' data goes."""
        return self.home / "stack"

    @property
    def data(self) -> Path:
        """One folder per server."""
        return self.all / "data"

    @property
    def logs(self) -> Path:
        """One log per server, and supervisor's own."""
        return self.all / "logs"

    @property
    def configuration(self) -> Path:
        """Supervisor's configuration; it carries credentials."""
        return self.all / "supervisord.conf"

    @property
    def socket(self) -> Path:
        """The socket that controls supervisor."""
        return self._runtime() / "supervisor.sock"

    @property
    def environments(self) -> list[Path]:
        """The env files of all components, and those of the agents that were let in."""
        components = [self.environment_of(name) for name in ("operator", "evaluator", "frontend")]
        return [*components, *(self.home / "agents").glob("*.env")]

    def environment_of(self, component: str) -> Path:
        """The env file for those who use the servers as one of the components."""
        return self.home / f"{'stack' if component == 'operator' else component}.env"

    @property
    def credentials(self) -> Path:
        """Every password of this home."""
        return self.all / "credentials.json"

    @property
    def ports(self) -> Path:
        """The ports chosen for this home."""
        return self.all / "ports.json"

    @property
    def environment_name(self) -> Path:
        """Which environment the stores of this home belong to, as they say themselves."""
        return self.all / "environment"

    @property
    def lock(self) -> Path:
        """Held while servers are being started, stopped or deleted."""
        return self.all / "lock"

    @property
    def digest(self) -> str:
        """A short name of this home, for folders outside it."""
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]

    def log(self, name: str) -> Path:
        """The log of one server."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create what is missing, for nobody but us.

        Raises:
            StackError: when the home cannot be used.
        """
        if AWKWARD.intersection(str(self.home)) or not str(self.home).isprintable():
            raise StackError(
                f"{self.home} holds a quote, a backslash, or one of ; # % ` $: "
                "set AGENTRUNS_HOME to another folder"
            )
        try:
            self._make_home()
            for folder in (self.all, self.data):
                _make_private(folder, passable=True)
            self.lock.touch(mode=0o600)
            # Whoever can open it can hold it.
            self.lock.chmod(0o600)
            for folder in (self.logs, self.socket.parent):
                _make_private(folder)
        except OSError as error:
            raise StackError(
                f"{self.home} cannot be used ({error.strerror}): set AGENTRUNS_HOME to a folder "
                "that you may write to"
            ) from error

    def remove(self) -> None:
        """Delete everything that is ours, except the lock, which somebody may be waiting for."""
        for file in self.environments:
            file.unlink(missing_ok=True)
        for folder in (self.data, self.logs, self.socket.parent):
            shutil.rmtree(folder)
        for file in (self.credentials, self.ports, self.configuration, self.environment_name):
            file.unlink(missing_ok=True)

    def _make_home(self) -> None:
        if not self.home.is_dir():
            self.home.mkdir(parents=True)
            self.home.chmod(_mode(passable=True))
        if self.all.exists() and not self.lock.exists() and any(self.all.iterdir()):
            raise StackError(
                f"{self.all} holds something else than our servers: move it away, or set "
                "AGENTRUNS_HOME to another folder"
            )

    def _runtime(self) -> Path:
        inside = self.all / "run"
        if len(os.fsencode(inside / "supervisor.sock")) <= SOCKET_BYTES:
            return inside
        return Path("/tmp", f"agentruns-{os.geteuid()}-{self.digest}")  # noqa: S108 - checked to be ours


def _make_private(folder: Path, *, passable: bool = False) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to somebody else: remove it or have it removed")
    folder.chmod(_mode(passable=passable))


def _mode(*, passable: bool) -> int:
    # Root's PostgreSQL runs as somebody else, who has to pass through, not to look.
    return 0o711 if passable and os.geteuid() == 0 else 0o700
