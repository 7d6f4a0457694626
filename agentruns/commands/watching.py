"""Finds what a command leaves in watched folders: trajectories and other new files."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from agentruns.cleaning import Cleaner, SecretPatterns, printable
from agentruns.commands.changes import Touched, changes
from agentruns.commands.growing_trajectory import GrowingTrajectory
from agentruns.commands.left_files import upload_of
from agentruns.commands.scanning import Signature, is_partial, scan, scan_some
from agentruns.models import AnyRecord, Level, LogEntry, imported_id
from agentruns.trajectories import CuaReader, Problem

#: A file that has been the same for so long has stopped changing.
STILL_SECONDS = 1.0


class FolderWatch:
    """Gives everything that is new or changed in some folders since it was made, once.

    Taking the same content again gives the same ids, so a second watch does no harm.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        agent_id: str,
        task_id: UUID,
        cleaner: Cleaner,
        besides: Path | None = None,
    ) -> None:
        """Remember what lies in the folders now; what lies below `besides` is left alone."""
        self._agent_id = agent_id
        self._task_id = task_id
        self._cleaner = cleaner
        self._watched = [
            _Watched(folder, besides, cleaner.patterns) for folder in _outermost(folders)
        ]
        #: What was given last of each file, where that can't fail any more.
        self._given: dict[Path, UUID] = {}

    def follow(self, ended: threading.Event) -> Iterator[Iterator[AnyRecord]]:
        """Records of what has become new, again and again until the end."""
        if folders := [watched.folder for watched in self._watched]:
            for touched in changes(folders, ended):
                yield self._take(touched, final=False)

    def rest(self) -> Iterator[AnyRecord]:
        """Records of all that was not taken yet: the command has ended, no more will come."""
        return self._take(None, final=True)

    def warning(self, path: Path, reason: str) -> LogEntry:
        """What is told about a file that could not be recorded."""
        exact = printable(str(path))
        name = self._cleaner.text(exact)
        return LogEntry(
            id=imported_id(str(self._task_id), "left out", exact, reason),
            agent_id=self._agent_id,
            task_id=self._task_id,
            level=Level.WARNING,
            message=f"{name} was not recorded: {reason}",
            data={"path": name},
        )

    def _take(self, touched: Touched, *, final: bool) -> Iterator[AnyRecord]:
        for watched in self._watched:
            if final and not watched.folder.is_dir():
                yield self.warning(watched.folder, "the watched folder does not exist")
            for path in watched.due(touched, final=final):
                yield from self._file(path, watched.folder)
            for trajectory in watched.trajectories.values():
                yield from self._steps(trajectory, final=final)

    def _file(self, path: Path, folder: Path) -> Iterator[AnyRecord]:
        try:
            name = path.relative_to(folder.parent)
            new = upload_of(path, name, self._agent_id, self._task_id, self._cleaner)
            # Touched, or written anew as it was: it is there already, and no gap in the order.
            if self._given.get(path) != new.file.id:
                yield new
            if isinstance(new.content, bytes):  # a large one may yet change while it is copied
                self._given[path] = new.file.id
        except OSError as error:
            yield self.warning(path, error.strerror or str(error))

    def _steps(self, trajectory: GrowingTrajectory, *, final: bool) -> Iterator[AnyRecord]:
        try:
            for found in trajectory.read(self._agent_id, self._task_id, final=final):
                if isinstance(found, Problem):
                    yield self.warning(trajectory.item / found.path, found.reason)
                else:
                    yield found
        except Exception as error:  # one trajectory that no reader expected may not cost the others
            yield self.warning(trajectory.item, f"reading it failed with {error!r}")


#: It tells of every file in its folder; of other formats, logs and videos are kept as files too.
GROWING = CuaReader()


class _Seen(NamedTuple):
    """How a file looked, and since when it has looked so."""

    signature: Signature
    since: float


class _Watched:
    """One folder, what of it was handed on, and what still changes."""

    def __init__(self, folder: Path, besides: Path | None, patterns: SecretPatterns) -> None:
        self.folder = folder
        self._patterns = patterns
        self.trajectories: dict[Path, GrowingTrajectory] = {}
        self._besides = besides
        self._taken = scan(folder, self._is_left)
        self._waiting: dict[Path, _Seen] = {}

    def due(self, touched: Touched, *, final: bool) -> list[Path]:
        """Plain files to take now; files of trajectories are noted with their trajectory."""
        present = self._present(touched)
        for path in sorted(present):
            # What is named as unfinished is taken at the end, if it is still there.
            if final or not is_partial(path, self.folder):
                self._note(path, present[path])
        ready = sorted(path for path in self._waiting if final or self._is_still(path))
        self._taken |= {path: self._waiting.pop(path).signature for path in ready}
        return ready

    def _present(self, touched: Touched) -> dict[Path, Signature]:
        if touched is None:
            present = scan(self.folder, self._is_left)
            self._taken = {path: sign for path, sign in self._taken.items() if path in present}
        else:
            present = scan_some(touched | self._waiting.keys(), self.folder, self._is_left)
        gone = self._waiting.keys() - present.keys()
        self._waiting = {path: seen for path, seen in self._waiting.items() if path not in gone}
        return present

    def _note(self, path: Path, signature: Signature) -> None:
        if self._taken.get(path) == signature:
            self._waiting.pop(path, None)
        elif self._belongs_to_trajectory(path, signature):
            self._taken[path] = signature
        elif path not in self._waiting or self._waiting[path].signature != signature:
            self._waiting[path] = _Seen(signature, time.monotonic())

    def _is_still(self, path: Path) -> bool:
        return time.monotonic() - self._waiting[path].since >= STILL_SECONDS

    def _is_left(self, path: Path) -> bool:
        return path == self._besides

    def _belongs_to_trajectory(self, path: Path, signature: Signature) -> bool:
        for parent in reversed(path.relative_to(self.folder).parents):
            item = self.folder / parent
            if item not in self.trajectories and GROWING.recognise(item):
                self.trajectories[item] = GrowingTrajectory(item, GROWING, self._patterns)
            if item in self.trajectories:
                self.trajectories[item].note(path, signature)
                self._waiting.pop(path, None)
                return True
        return False


def _outermost(folders: Sequence[Path]) -> list[Path]:
    """The folders without those that lie within another."""
    resolved = {folder.resolve() for folder in folders}
    return sorted(one for one in resolved if resolved.isdisjoint(one.parents))
