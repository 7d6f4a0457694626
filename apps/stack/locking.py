"""One change at a time."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.stack.errors import StackError


@contextmanager
def locked(path: Path, waiting: Callable[[], None], seconds: float) -> Iterator[None]:
    """Hold a lock file; `waiting` is called once when somebody else holds it.

    Raises:
        StackError: when the other one keeps it for too long.
    """
    with path.open("a") as file:
        deadline = time.monotonic() + seconds
        if not _taken(file.fileno()):
            waiting()
            while not _taken(file.fileno()):
                if time.monotonic() > deadline:
                    raise StackError(
                        f"another agentruns has held {path} for {seconds:.0f} seconds: "
                        "wait for it, or end it, then try again"
                    )
                time.sleep(0.1)
        yield


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
