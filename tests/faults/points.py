"""The acts of a process on stores and disk, counted, so that it can be killed between them."""

import os
import signal
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, NamedTuple

import psycopg
from minio import Minio
from pymongo.collection import Collection

#: What cannot be undone once it has happened, and what decides on it.
ACTS: tuple[tuple[Any, str], ...] = (
    (psycopg.Cursor, "execute"),
    (psycopg.Cursor, "executemany"),
    (psycopg.Connection, "commit"),
    (Collection, "insert_many"),
    (Collection, "find"),
    (Collection, "delete_many"),
    (Minio, "_url_open"),
    (os, "rename"),
    (os, "rmdir"),
    (os, "unlink"),
    (os, "utime"),
)


class Point(NamedTuple):
    """One act of one step, before or after which the process is gone."""

    step: str
    number: int
    after: bool


class Points:
    """Counts the acts of each step; at one of them this process kills itself."""

    def __init__(self, point: Point | None) -> None:
        self.counted: dict[str, int] = {}
        self._point = point
        self._step = ""
        self._lock = Lock()
        for owner, name in ACTS:
            setattr(owner, name, self._watched(getattr(owner, name)))

    def begin(self, step: str) -> None:
        """What follows is part of this step."""
        with self._lock:
            self._step = step
            self.counted[step] = 0

    def _watched(self, act: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(act)
        def watched(*args: Any, **kwargs: Any) -> Any:
            here = self._next()
            is_it = self._point is not None and here == self._point[:2]
            if is_it and self._point and not self._point.after:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return act(*args, **kwargs)
            finally:
                if is_it:
                    os.kill(os.getpid(), signal.SIGKILL)

        return watched

    def _next(self) -> tuple[str, int]:
        with self._lock:
            number = self.counted[self._step] = self.counted.get(self._step, 0) + 1
            return self._step, number
