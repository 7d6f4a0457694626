"""Private folders for what is read from elsewhere; none outlives its process by more than a run."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.errors import SettingsError

#: Left to everybody else on the disk.
RESERVE = 256 * 2**20


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder that only we may enter; it goes with this block, or with the next start.

    Raises:
        SettingsError: when there is no place for it.
    """
    base = _base()
    with _locked(base):
        _sweep(base)
        folder = Path(tempfile.mkdtemp(dir=base))
        held = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def check_room(folder: Path, needed: int) -> None:
    """Refuse what the disk cannot hold, before it is full for everybody.

    Raises:
        SettingsError: which says what to do.
    """
    free = shutil.disk_usage(folder).free - RESERVE
    if needed > free:
        raise SettingsError(
            f"{needed} bytes have to be held on the disk for a moment, and {folder.parent} has "
            f"room for {max(0, free)}: make room there, or set TMPDIR to a folder on a larger disk."
        )


def _base() -> Path:
    base = Path(tempfile.gettempdir(), f"agentruns-scratch-{os.geteuid()}")
    try:
        with suppress(FileExistsError):
            base.mkdir(mode=0o700)
        found = base.lstat()
    except OSError as error:
        raise SettingsError(
            f"No scratch folder can be made in {base.parent}: {error.strerror}. Set TMPDIR to a "
            "folder that you may write to."
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise SettingsError(
            f"{base} is open to others, or not a folder of yours: remove it, or set TMPDIR."
        )
    return base


def _sweep(base: Path) -> None:
    """Remove the folders whose processes are gone; who lives holds a lock on its own."""
    for folder in base.iterdir():
        with suppress(OSError):
            held = _lock(folder)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


@contextmanager
def _locked(base: Path) -> Iterator[None]:
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
