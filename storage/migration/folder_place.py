"""A folder of this machine as a source."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentruns.cleaning import printable
from agentruns.trajectories.files import Unreadable, fingerprint
from storage.migration.models import ItemFile, ManifestFile
from storage.migration.scanning import Member, Scanned, members, scan


class FolderListing:
    """What lies below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def paths(self) -> Iterator[Scanned]:
        """Every path that is no folder."""
        return scan(self._folder)

    def members(self, only: str | None) -> Iterator[Member]:
        """Every path that belongs to an item."""
        return members(self._folder, only)


class FolderPlace:
    """The files are where they are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._folder)

    @contextmanager
    def listing(self) -> Iterator[FolderListing]:
        """Look at it anew."""
        yield FolderListing(self._folder)

    @contextmanager
    def at_hand(self, files: Iterable[ItemFile]) -> Iterator[Path]:
        """The folder itself."""
        del files  # they are all there
        yield self._folder

    def trash(self, time: str) -> str:
        """A folder beside it, on the same disk."""
        return str(self._folder.with_name(f"{self._folder.name}.migrated-{time}"))

    def move(self, files: Iterable[ManifestFile], trash: str) -> int:
        """Move what is still as the manifest says, then remove the folders that are empty."""
        moved = 0
        for name in self._movable(files):
            target = Path(trash) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).rename(target)
            moved += 1
        self._remove_empty_folders()
        return moved

    def left(self) -> Iterator[str]:
        """Every file and link that is still there."""
        for folder, folders, files in os.walk(self._folder):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            for name in sorted(files + links):
                yield printable(str(Path(folder, name).relative_to(self._folder)))

    def _movable(self, files: Iterable[ManifestFile]) -> Iterator[str]:
        for file in files:
            name = os.fsdecode(file.path)
            # Gone, or no regular file any more: then it is not what the manifest means.
            with suppress(Unreadable):
                if file.sha256 and fingerprint(self._folder, name).sha256 == file.sha256:
                    yield name

    def _remove_empty_folders(self) -> None:
        for folder, _, _ in os.walk(self._folder, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
