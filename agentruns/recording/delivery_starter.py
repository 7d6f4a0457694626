"""Seeing to it that somebody delivers what is in the spool, without waiting for it."""

import logging
import os
import signal
import sys
import threading
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from agentruns.spool import Spool, SpoolError
from agentruns.spool.layout import DELIVERY_LOG

log = logging.getLogger("agentruns")

#: What a delivery needs and the light distribution does not bring.
NEEDED = ("psycopg", "pymongo", "minio")
#: The folders beside `agentruns` that a delivery is made of.
OURS = ("agentruns", "storage", "quality", "tasks", "flows", "apps")
HOME = Path(__file__).parents[2]
LOOK_SECONDS = 3.0
#: A delivery that dies at once, of a wrong setting perhaps, must not keep the machine busy.
RESTART_SECONDS = 15.0
REFUSALS = {"0", "no", "false", "off"}


class DeliveryStarter:
    """Starts the delivery of a spool when there is none; the agent never waits for it."""

    def __init__(self, spool: Spool, *, wanted: bool) -> None:
        self._spool = spool
        self._wanted = wanted and os.environ.get("AGENTRUNS_DELIVER", "").lower() not in REFUSALS
        self.left_to_others = not self._wanted
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a forked child must: what was started is its parent's child."""
        self._child: int | None = None
        self._next_look = self._next_start = 0.0
        self._turn = threading.Lock()

    def look(self) -> None:
        """Start a delivery when it is time to look and none is at work; never raises."""
        if time.monotonic() >= self._next_look and self._turn.acquire(blocking=False):
            try:
                self._next_look = time.monotonic() + LOOK_SECONDS
                self._see_to_it()
            finally:
                self._turn.release()

    def at_work(self) -> bool:
        """Whether somebody delivers, or is about to."""
        # In this order: the child that we start ends once the lock is held.
        return self._lives() or self._spool.delivering()

    def can_start(self) -> bool:
        """Whether a delivery can be run by this recorder."""
        return self._wanted and bool(sys.executable) and _is_installed()

    def _see_to_it(self) -> None:
        if not self.can_start() or time.monotonic() < self._next_start:
            return
        try:
            if not self.at_work():
                self._next_start = time.monotonic() + RESTART_SECONDS
                self._child = start_delivery(self._spool.folder)
        except (OSError, SpoolError) as error:
            log.warning("The delivery of %s could not be started: %s", self._spool.folder, error)

    def _lives(self) -> bool:
        if self._child is None:
            return False
        try:
            ended, _ = os.waitpid(self._child, os.WNOHANG)
        except ChildProcessError:  # the agent waits for its children itself, or ignores them
            ended = self._child
        if ended:
            self._child = None
        return not ended


@cache
def _is_installed() -> bool:
    here = (HOME / "storage" / "delivery").exists()
    return here and all(find_spec(name) for name in NEEDED)


def start_delivery(folder: Path) -> int:
    """Start a delivery in a session of its own.

    Gives the id of a child that ends as soon as the delivery, no child of ours, holds its lock.
    """
    log_file = os.fspath(folder / DELIVERY_LOG)
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        # -P: the agent's own folders may be called as ours are.
        [sys.executable, "-P", "-m", "storage.delivery", "--detach", os.fspath(folder)],
        delivery_environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log_file, appending, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inherited()),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    )


def _inherited() -> list[int]:
    """What a shell or a supervisor has left open for the agent, a lock or a pipe.

    A delivery outlives the agent, and whoever waits for their end would wait for the delivery.
    """
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names
    return [number for number in numbers if number > 2 and _is_inheritable(number)]


def _is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # closed meanwhile, as that of the listing itself
        return False


def delivery_environment() -> dict[str, str]:
    """The environment, in which no folder of the agent's stands before ours."""
    environment = dict(os.environ)
    searched = environment.get("PYTHONPATH", "")
    # An empty part of a path that is set means the current folder, as `PYTHONPATH=:x` has it.
    if searched and any(_shadows(Path(entry)) for entry in searched.split(os.pathsep)):
        environment["PYTHONPATH"] = os.pathsep.join([str(HOME), searched])
    return environment


def _shadows(folder: Path) -> bool:
    if folder.absolute() == HOME:
        return False
    return any((folder / name).exists() or (folder / f"{name}.py").exists() for name in OURS)
