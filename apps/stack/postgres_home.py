"""PostgreSQL's data, where the user that runs it can reach it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from apps.stack.errors import StackError
from apps.stack.folders import Folders
from apps.stack.postgres_programs import PostgresPrograms
from apps.stack.privileges import as_user, give, may_enter, unprivileged_user
from apps.stack.processes import NoSuchProcess, Process, is_postgres_of

#: For homes below a folder that only root may enter.
ELSEWHERE = Path("/var/lib/agentruns")


@dataclass(frozen=True, slots=True)
class PostgresHome:
    """A folder that belongs to whoever runs PostgreSQL."""

    folder: Path
    user: str | None

    @classmethod
    def of(cls, folders: Folders) -> Self:
        """The one of this home."""
        inside, elsewhere = folders.data / "postgres", ELSEWHERE / folders.digest
        user = unprivileged_user()
        if may_enter(folders.data, user) and not elsewhere.exists():
            return cls(inside, user)
        if inside.exists():
            raise StackError(
                f"PostgreSQL runs as '{user}', who can no longer reach its data in {inside}: "
                "let others pass through the folders above it (chmod o+x)"
            )
        return cls(elsewhere, user)

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder, which it wants for itself."""
        return self.folder / "data"

    def make(self) -> None:
        """Create what is missing."""
        if self.folder.parent == ELSEWHERE:
            ELSEWHERE.mkdir(parents=True, exist_ok=True)
            ELSEWHERE.chmod(0o755)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        give(self.folder, self.user)

    def remove(self) -> None:
        """Delete all data."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def forget_crash(self) -> None:
        """Remove a lock whose process id now belongs to another program, as after a reboot."""
        lock = self.data / "postmaster.pid"
        try:
            owner = Process(int(lock.read_text().split()[0]))
        except (FileNotFoundError, ValueError, IndexError, NoSuchProcess):
            return
        if not is_postgres_of(owner, str(self.data)):
            lock.unlink()

    def major(self) -> int | None:
        """The major version of PostgreSQL that made the data; None when there is none."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def initialise(self, programs: PostgresPrograms, superuser: str, password: str) -> None:
        """Create the data, as a whole or not at all.

        Raises:
            StackError: when initdb fails; the message has its last words.
        """
        unfinished, secret = self.folder / "unfinished", self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        secret.touch(mode=0o600)
        give(secret, self.user)
        try:
            secret.write_text(password)
            self._run_initdb(programs, unfinished, superuser, secret)
        finally:
            secret.unlink()
        unfinished.rename(self.data)

    def _run_initdb(
        self, programs: PostgresPrograms, target: Path, superuser: str, secret: Path
    ) -> None:
        command = [
            *(str(programs.folder / "initdb"), "--pgdata", str(target)),
            *("--username", superuser, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            "--data-checksums",
        ]
        ran = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, check=False, cwd="/", **as_user(self.user)
        )
        if ran.returncode != 0:
            said = "\n".join(ran.stderr.strip().splitlines()[-5:])
            raise StackError(
                f"PostgreSQL's data could not be created in {self.folder}: {said}\n"
                "Check that the disk has space, then run 'agentruns up' again"
            )
