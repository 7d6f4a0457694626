"""Objects as files in a scratch folder, so that whoever reads folders can read them."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

from agentruns.trajectories.osworld.reader import COMPANIONS
from storage.errors import AccessDenied, RecordNotFound
from storage.migration.models import ItemFile
from storage.migration.object_names import fault_of
from storage.migration.scratch import check_room
from storage.minio.source import SourceBucket, SourceObject
from storage.retries import retried

#: As many objects at a time; more do not come faster.
AT_ONCE = 8
#: Read again when it changed under the reader, and then set aside.
TRIES = 2
_AT_A_TIME = 1_000
#: What OSWorld's reader looks for in the folders above a run.
ABOVE = ("args.json", "all_result.json", "summary/results.json")
#: A list of results above a run names some hundred tasks.
LARGEST_ABOVE = 8 * 2**20


def stage(bucket: SourceBucket, prefix: str, root: Path, files: Iterable[ItemFile]) -> None:
    """Put these objects below `root`, each as the version that the inventory listed.

    What is another version by now lies there as a file with other content and another time;
    what is gone, or not for the source's key, does not lie there. Names that are no paths are
    left out.

    Raises:
        SettingsError: when the disk has no room for them.
    """
    folders: set[str] = set()
    waiting = iter(files)
    while some := list(islice(waiting, _AT_A_TIME)):
        fit = [(file, name) for file in some if (name := _name_of(file.path)) is not None]
        check_room(root, sum(file.size_bytes for file, _ in fit))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stage") as pool:
            list(pool.map(lambda one: _stage(bucket, prefix, root, *one), fit))
        folders.update(above for _, name in fit for above in _looked_at(name))
    for folder in folders:
        for name in ABOVE:
            _stage_beside(bucket, prefix, root, f"{folder}{name}")


def written(path: Path, pieces: Iterable[bytes], most: int) -> int:
    """Write a file that ends with the first piece beyond `most`; gives the bytes written."""
    size = 0
    with path.open("wb") as stream:
        for piece in pieces:
            size += stream.write(piece)
            if size > most:
                break
    return size


def path_below(root: Path, name: str) -> Path:
    """Where an object lies; only for names without a fault, which lead nowhere else.

    Raises:
        ValueError: for all others.
    """
    if fault_of(name):
        raise ValueError("the name is no path")
    path = root.joinpath(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _name_of(path: bytes) -> str | None:
    try:
        name = path.decode()
    except UnicodeDecodeError:
        return None
    return None if fault_of(name) else name


def _stage(bucket: SourceBucket, prefix: str, root: Path, file: ItemFile, name: str) -> None:
    try:
        path = path_below(root, name)
    except (FileExistsError, NotADirectoryError):
        # It begins another object's name: no file can be a folder.
        return
    try:
        for _ in range(TRIES):
            if _fetched(bucket, prefix + name, path, file):
                return
        _mark_as_changed(path)
    except (RecordNotFound, AccessDenied, IsADirectoryError):
        return


@retried
def _fetched(bucket: SourceBucket, key: str, path: Path, file: ItemFile) -> bool:
    """Whether the listed version is on the disk now, and was the object's before and after."""
    listed = (file.size_bytes, file.modified_ns)
    with bucket.opened(key) as (version, pieces):
        if _known(version) != listed:
            return False
        size = written(path, pieces, file.size_bytes)
    os.utime(path, ns=(file.modified_ns, file.modified_ns))
    return size == file.size_bytes and bucket.stat(key).etag == version.etag


def _known(version: SourceObject) -> tuple[int, int]:
    return version.size, version.modified_ns


def _mark_as_changed(path: Path) -> None:
    """Leave what equals no listed file, so that nobody takes it for one."""
    path.write_bytes(os.urandom(32))
    os.utime(path, ns=(0, 0))


def _looked_at(name: str) -> Iterator[str]:
    """The folders above an OSWorld run with their slashes, told by a file of it."""
    *folders, last = name.split("/")
    if last in COMPANIONS:
        for depth in range(len(folders)):
            yield "".join(f"{folder}/" for folder in folders[:depth])


def _stage_beside(bucket: SourceBucket, prefix: str, root: Path, name: str) -> None:
    """An object that a reader may look at beside its item; it need not be there."""
    with suppress(RecordNotFound, AccessDenied, OSError, ValueError):
        path = path_below(root, name)
        if not path.exists():
            with bucket.opened(prefix + name) as (version, pieces):
                if version.size <= LARGEST_ABOVE:
                    written(path, pieces, version.size)
