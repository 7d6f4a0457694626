"""The folder in which records wait for their delivery."""

import os
import threading
from pathlib import Path

from agentruns.home import home
from agentruns.spool.damage import mend_ledger
from agentruns.spool.databases import REVISIONS, explained
from agentruns.spool.disk import UNFINISHED, make_folder, size_of, write_text
from agentruns.spool.errors import SpoolTooNew, SpoolUnusable
from agentruns.spool.layout import SESSIONS
from agentruns.spool.ledger import Ledger
from agentruns.spool.locks import FileLock
from agentruns.spool.session_folder import SessionFolder

#: Told in the file FORMAT of every spool. Greater than ours: made by a newer agentruns.
FORMAT = len(REVISIONS)
FORMAT_WORDS = "agentruns spool"


def default_spool() -> Path:
    """The folder that AGENTRUNS_SPOOL names, else `spool` in the home of agentruns."""
    chosen = os.environ.get("AGENTRUNS_SPOOL")
    return Path(chosen).expanduser().absolute() if chosen else home() / "spool"


class Spool:
    """Sessions full of events on their way to the stores, and the ledger of what has arrived."""

    def __init__(self, folder: Path | str | None = None) -> None:
        """Name the folder; nothing is read or made yet."""
        self.folder = Path(folder).expanduser().absolute() if folder else default_spool()
        self._sessions: dict[str, SessionFolder] = {}
        self._lock = threading.Lock()

    def prepare(self) -> "Spool":
        """Make the folder where it is missing, bring it up to date where it is old.

        Raises:
            SpoolTooNew: when a newer agentruns made it.
            SpoolUnusable: when it is something else, or may not be written.
        """
        with explained(self.folder):
            make_folder(self.sessions_folder)
            if self._format() < FORMAT:
                write_text(self.folder / "FORMAT", f"{FORMAT_WORDS} {FORMAT}\n")
        return self

    @property
    def sessions_folder(self) -> Path:
        """Where each session has its folder."""
        return self.folder / SESSIONS

    def is_there(self) -> bool:
        """Whether the folder is a spool."""
        try:
            with (self.folder / "FORMAT").open(errors="replace") as file:
                return file.readline().startswith(FORMAT_WORDS)
        except OSError:
            return False

    def sessions(self) -> list[SessionFolder]:
        """Everybody who has written, the oldest first; asking again gives the same objects."""
        names = [name for name in _names(self.sessions_folder) if not name.startswith(UNFINISHED)]
        with self._lock:
            # What is gone is forgotten, with its open files.
            self._sessions = {
                name: self._sessions.get(name) or SessionFolder(self.sessions_folder / name)
                for name in names
            }
            return [session for session in self._sessions.values() if session.is_one()]

    def foreign(self) -> list[str]:
        """Names of what lies among the sessions and is none."""
        known = {session.name for session in self.sessions()}
        names = _names(self.sessions_folder)
        return [name for name in names if name not in known and not name.startswith(UNFINISHED)]

    def size(self) -> int:
        """How many bytes the whole folder has."""
        return size_of(self.folder)

    def delivery_lock(self) -> FileLock:
        """What the one delivery of this spool holds."""
        return FileLock(self.folder / "delivery.lock")

    def delivering(self) -> bool:
        """Whether a delivery is at work here."""
        return self.delivery_lock().held()

    def mend_ledger(self) -> None:
        """Begin a new ledger where it is damaged; only under the lock of the delivery."""
        with explained(self.folder):
            mend_ledger(self.folder)

    def ledger(self) -> Ledger:
        """What has become of the events."""
        return Ledger(self.folder)

    def _format(self) -> int:
        try:
            words = (self.folder / "FORMAT").read_text(errors="replace").split()
        except FileNotFoundError:
            return 0
        if " ".join(words[:-1]) != FORMAT_WORDS or not words[-1].isdecimal():
            raise SpoolUnusable(f"{self.folder} holds a FORMAT that is no spool's: choose another.")
        if int(words[-1]) > FORMAT:
            raise SpoolTooNew(
                f"The spool {self.folder} was made by a newer agentruns (format {words[-1]}, this "
                f"one knows {FORMAT}): upgrade agentruns, or choose another folder."
            )
        return int(words[-1])


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, a hundred times quicker than paths
    except FileNotFoundError:
        return []
