"""Finds what a command leaves in watched folders: trajectories and other new files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from agentruns.cleaning import printable
from agentruns.models import AnyRecord, Level, LogEntry, imported_id
from agentruns.recording.growing import GrowingTrajectory
from agentruns.recording.left_files import upload_of
from agentruns.recording.scanning import Signature, is_partial, scan
from agentruns.trajectories import Problem, find_reader


class FolderWatch:
    """Gives everything that is new or changed in some folders since it was made, once.

    Taking the same content again gives the same ids, so a second watch does no harm.
    """

    def __init__(self, folders: Sequence[Path], agent_id: str, task_id: UUID) -> None:
        """Remember what lies in the folders now."""
        self._agent_id = agent_id
        self._task_id = task_id
        self._watched = [_Watched(folder) for folder in _outermost(folders)]

    def take(self, *, final: bool = False) -> Iterator[AnyRecord]:
        """Records of what is new; before the end only of files that stopped changing.

        Args:
            final: the command has ended, so what lies there is all there will be.
        """
        for watched in self._watched:
            if final and not watched.folder.is_dir():
                yield self._warning(watched.folder, "the watched folder does not exist")
            for path in watched.changes(final=final):
                yield from self._file(path, watched.folder)
            for trajectory in watched.trajectories.values():
                yield from self._steps(trajectory, final=final)

    def _file(self, path: Path, folder: Path) -> Iterator[AnyRecord]:
        try:
            name = path.relative_to(folder.parent)
            yield upload_of(path, name, self._agent_id, self._task_id)
        except OSError as error:
            yield self._warning(path, error.strerror or str(error))

    def _steps(self, trajectory: GrowingTrajectory, *, final: bool) -> Iterator[AnyRecord]:
        try:
            for found in trajectory.read(self._agent_id, self._task_id, final=final):
                if isinstance(found, Problem):
                    yield self._warning(trajectory.item / found.path, found.reason)
                else:
                    yield found
        except Exception as error:  # one trajectory that no reader expected may not cost the others
            yield self._warning(trajectory.item, f"reading it failed with {error!r}")

    def _warning(self, path: Path, reason: str) -> LogEntry:
        name = printable(str(path))
        return LogEntry(
            id=imported_id(str(self._task_id), "left out", name, reason),
            agent_id=self._agent_id,
            task_id=self._task_id,
            level=Level.WARNING,
            message=f"{name} was not recorded: {reason}",
            data={"path": name},
        )


class _Watched:
    """One folder, what of it was handed on, and how it looked last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trajectories: dict[Path, GrowingTrajectory] = {}
        self._taken = scan(folder)
        self._seen = self._taken.copy()

    def changes(self, *, final: bool) -> list[Path]:
        """Plain files to take now; files of trajectories are noted with their trajectory."""
        present = scan(self.folder)
        new = [path for path, sign in present.items() if self._taken.get(path) != sign]
        inside = {path for path in sorted(new) if self._belongs_to_trajectory(path, present[path])}
        due = [
            path
            for path in sorted(set(new) - inside)
            if final or (self._seen.get(path) == present[path] and not self._is_partial(path))
        ]
        self._seen = present
        self._taken |= {path: present[path] for path in [*inside, *due]}
        return due

    def _is_partial(self, path: Path) -> bool:
        return is_partial(path, self.folder)

    def _belongs_to_trajectory(self, path: Path, signature: Signature) -> bool:
        for parent in reversed(path.relative_to(self.folder).parents):
            item = self.folder / parent
            if item not in self.trajectories and (reader := find_reader(item)):
                self.trajectories[item] = GrowingTrajectory(item, reader)
            if item in self.trajectories:
                self.trajectories[item].note(path, signature)
                return True
        return False


def _outermost(folders: Sequence[Path]) -> list[Path]:
    """The folders without those that lie within another."""
    resolved = {folder.resolve() for folder in folders}
    return sorted(one for one in resolved if resolved.isdisjoint(one.parents))
