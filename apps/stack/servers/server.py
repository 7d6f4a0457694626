"""What all servers have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from apps.stack.credentials import Credentials
from apps.stack.folders import Folders
from apps.stack.ports import LOOPBACK
from apps.stack.progress import Say


@dataclass(frozen=True, slots=True)
class Site:
    """One home: its folders, ports and credentials, and somebody to tell what happens."""

    folders: Folders
    ports: Mapping[str, int]
    credentials: Credentials
    say: Say
    environment: str = "dev"
    """Which one the stores belong to, as far as it is known."""

    def address(self, name: str) -> str:
        """Where a server listens."""
        return f"{LOOPBACK}:{self.ports[name]}"

    def data(self, name: str) -> Path:
        """A server's own folder."""
        return self.folders.data / name


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisor has to run."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    """Carries passwords."""
    user: str | None = None
    stop_signal: str = "TERM"
    umask: str = "077"


class Server(ABC):
    """One server of a home."""

    name: ClassVar[str]
    title: ClassVar[str]
    listens: ClassVar[bool] = True

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.site.address(self.name)

    @abstractmethod
    def program(self) -> Program:
        """Get everything ready for it to start; gives what to run. Repeating it is harmless."""

    @abstractmethod
    def settle(self) -> None:
        """Make it usable once it runs. Repeating it is harmless.

        Raises:
            StoreUnavailable: when it does not answer yet.
        """

    @abstractmethod
    def version(self, seconds: float) -> str:
        """Ask it for its version, over a real connection.

        Raises:
            StorageError: when it does not answer in time.
        """
