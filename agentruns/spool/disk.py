"""Files that are on the disk, wholly or not at all, once a call has returned."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
#: Half-written or half-removed; nobody else looks at names that begin so.
UNFINISHED = "."


def make_folder(path: Path) -> None:
    """Make a folder of ours alone, durably, with its parents; one that is there is fine."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=PRIVATE_FOLDER)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file to write into; it takes its place, durably, at the end of the block.

    A name that is taken meanwhile is replaced, so both writers must mean the same content.
    """
    part = path.with_name(f"{UNFINISHED}{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            yield file
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Have a small text on the disk."""
    with written(path) as file:
        file.write(text.encode())


def remove_folder(path: Path) -> None:
    """Remove a folder; nobody sees half of it."""
    going = path.with_name(f"{UNFINISHED}gone-{path.name}-{os.urandom(4).hex()}")
    with suppress(FileNotFoundError):
        path.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def size_of(folder: Path) -> int:
    """How many bytes the files below a folder have; those that go meanwhile count nothing."""
    total, waiting = 0, [str(folder)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total
