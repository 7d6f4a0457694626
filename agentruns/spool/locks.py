"""Locks that the kernel frees when their owner is gone, however it went."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from agentruns.spool.errors import SpoolUnusable

#: Between tries to take a lock that only seems to be held.
ASKED_SECONDS = (0.01, 0.02, 0.05)


class FileLock:
    """An exclusive lock on a file, held by one process (or container) of the machine at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock, and say whether it was free; holding it already is as good."""
        if self._descriptor is None:
            self._descriptor = _locked(self.path, fcntl.LOCK_EX)
        return self._descriptor is not None

    def acquire_from_askers(self) -> bool:
        """The same, where many ask whether it is held: each of them holds it for a moment."""
        for pause in ASKED_SECONDS:
            if self.acquire():
                return True
            time.sleep(pause)
        return self.acquire()

    def sign(self) -> None:
        """Leave the number of this process, which holds the lock, for those who are refused."""
        if self._descriptor is not None:
            with suppress(OSError):  # a full disk: the lock counts, not who has it
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def signature(self) -> int | None:
        """The process that signed last, if one did; its number counts in its own container."""
        try:
            return int(self.path.read_bytes())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Free the lock."""
        if self._descriptor is not None:
            # A forked child shares the lock until it has closed its copy; unlocking frees it now.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.let_go()

    def let_go(self) -> None:
        """Close our end without freeing it: in a forked child the parent goes on holding it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def held(self) -> bool:
        """Whether somebody holds the lock, this process included."""
        # Shared, so that two who ask at once do not take each other for the holder.
        descriptor = _locked(self.path, fcntl.LOCK_SH, create=False)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None and self.path.exists()


def _locked(path: Path, kind: int, *, create: bool = True) -> int | None:
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpoolUnusable(
            f"{path} can't be opened ({error.strerror}): see to its rights."
        ) from None
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise SpoolUnusable(
            f"{path} can't be locked ({error.strerror}): put the spool on a local disk."
        ) from None
    return descriptor
