"""The names of a listing as empty files, filled as far as a reader looks to know a format.

A recogniser asks for names, and for the beginning of few files. So listing a prefix costs one
request a thousand objects, and few more.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.reader import TrajectoryReader
from agentruns.trajectories.walking import is_folder
from storage.errors import AccessDenied, RecordNotFound, SettingsError
from storage.migration.scratch import check_room
from storage.migration.staging import path_below, written
from storage.minio.source import SourceBucket
from storage.retries import retried

#: What a recogniser sees of a file.
BEGINNING = 2**20
#: What is on the disk at most of all files together, but for the one that is looked at.
MOST_HELD = 256 * 2**20
#: Files that are looked at in a folder to know what it is.
IN_FOLDERS = ("metadata.json", "summary_info.json", "traj.jsonl")
#: A file without content looks as large as its object, up to what every disk allows.
_LARGEST_SEEN = 2**32
#: A beginning of these says nothing.
_WHOLE = (".zip", "metadata.json")
#: Nobody knows a format by what is in these.
_BLIND = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".mp4", ".webm", ".mov", ".pkl", ".gz")
)


class Skeleton:
    """A tree of empty files, each with the bytes of its object once somebody looks at it."""

    def __init__(self, bucket: SourceBucket, prefix: str, root: Path) -> None:
        self.root = root
        self._bucket = bucket
        self._prefix = prefix
        self._held: OrderedDict[Path, tuple[int, bool]] = OrderedDict()
        """Bytes on the disk, and whether these are all; the first was looked at longest ago."""
        self._bytes = 0

    def add(self, name: str, size: int) -> None:
        """Have a file for an object that takes no room; only for a name without a fault."""
        try:
            with path_below(self.root, name).open("xb") as stream:
                stream.truncate(min(size, _LARGEST_SEEN))
        except OSError as error:
            raise SettingsError(
                f"The list of objects cannot be kept in {self.root.parent}: {error.strerror}. "
                "It needs a file for each object: make room, or set TMPDIR to a larger disk."
            ) from None

    def show(self, path: Path, *, whole: bool = False) -> None:
        """Put into the file what a reader may look at: its beginning, or all of it."""
        held, is_whole = self._held.get(path, (-1, False))
        if is_whole or (held >= 0 and not whole):
            self._held.move_to_end(path)
            return
        size, is_all = self._filled(path, whole=whole)
        self._bytes += size - max(held, 0)
        self._held[path] = (size, is_all)
        self._held.move_to_end(path)
        while len(self._held) > 1 and self._bytes > MOST_HELD:
            self._empty(*self._held.popitem(last=False))

    def _empty(self, path: Path, held: tuple[int, bool]) -> None:
        self._bytes -= held[0]
        size = path.stat().st_size
        os.truncate(path, 0)
        os.truncate(path, size)

    def _filled(self, path: Path, *, whole: bool) -> tuple[int, bool]:
        name = path.relative_to(self.root).as_posix()
        try:
            if path.stat().st_size:
                return self._fetched(path, name, whole=whole)
        except RecordNotFound:
            pass  # gone since it was listed: its empty file is known by nobody
        except AccessDenied:
            HICCUPS.count += 1  # somebody may grant it, and the list would look the same
        return 0, True

    @retried
    def _fetched(self, path: Path, name: str, *, whole: bool) -> tuple[int, bool]:
        length = None if whole else BEGINNING
        with self._bucket.opened(self._prefix + name, length) as (version, pieces):
            most = version.size if whole else BEGINNING
            check_room(self.root, min(most, version.size))
            size = written(path, pieces, most)
        os.truncate(path, max(size, min(version.size, _LARGEST_SEEN)))
        return size, size >= version.size


class Peeking:
    """As much of a reader as finds items; what it looks at is put into the skeleton first."""

    def __init__(self, reader: TrajectoryReader, skeleton: Skeleton) -> None:
        self._reader = reader
        self._skeleton = skeleton
        self.name = reader.name

    def recognise(self, path: Path) -> bool:
        """Whether the path is an item, judged by names and beginnings."""
        if is_folder(path):
            for name in IN_FOLDERS:
                self._show(path / name)
        else:
            self._show(path)
        return self._reader.recognise(path)

    def files(self, item: Path) -> Iterator[Path]:
        """Every path that the item is made of; an item that is a file tells that by its content."""
        if not is_folder(item):
            self._skeleton.show(item, whole=True)
        return self._reader.files(item)

    def _show(self, path: Path) -> None:
        if path.suffix.lower() not in _BLIND and path.is_file():
            self._skeleton.show(path, whole=path.name.endswith(_WHOLE))
