"""The SQLite files of a spool: opened durable, brought up to date, their errors made ours."""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from agentruns.spool.disk import PRIVATE_FILE
from agentruns.spool.errors import DiskFull, SpoolError, SpoolTooNew, SpoolUnusable

#: A commit waits so long for another process that writes into the same file.
BUSY_SECONDS = 10.0
BUSY_PAUSE_SECONDS = 0.01
#: Below this much free room an error of the disk is taken for want of room.
SCARCE_BYTES = 1024 * 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def script(name: str) -> str:
    """The text of one of our SQL files."""
    return (files("agentruns.spool") / "sql" / name).read_text()


def statements(name: str) -> dict[str, str]:
    """The statements of one of our SQL files, by the names above them."""
    parts = script(name).split("-- name: ")[1:]
    return {head: statement for head, _, statement in (part.partition("\n") for part in parts)}


#: What makes a segment, revision by revision; its `user_version` is how many it has had.
REVISIONS = tuple(script(name) for name in ("0001_events.sql", "0002_checksums.sql"))


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a file in which what is committed is on the disk.

    Raises:
        OSError, sqlite3.Error: see `explained`.
    """
    if create:
        path.touch(PRIVATE_FILE)  # SQLite gives its side files the rights of this one
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        # Their users take turns by a lock of their own.
        check_same_thread=False,
    )
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Write ahead, also when several processes open a new file at once."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Here alone SQLite does not wait by itself.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
        else:
            return


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the revisions that a segment has not had.

    Raises:
        SpoolTooNew: when it had more than there are.
    """
    (had,) = connection.execute("PRAGMA user_version").fetchone()
    if had > len(REVISIONS):
        raise SpoolTooNew(
            f"{path} was written by a newer agentruns (revision {had}, this one knows "
            f"{len(REVISIONS)}): upgrade agentruns to deliver it."
        )
    for number, revision in enumerate(REVISIONS[had:], start=had + 1):
        connection.executescript(f"BEGIN; {revision} PRAGMA user_version = {number}; COMMIT;")


def is_damage(error: Exception) -> bool:
    """Whether the error tells of a file that is broken, and not of one that can't be reached."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn errors of the disk and of SQLite into ours.

    Raises:
        DiskFull: when there is no room.
        SpoolUnusable: whatever else went wrong.
    """
    try:
        yield
    except SpoolError:
        raise
    except (OSError, sqlite3.Error) as error:
        if _means_no_room(error, folder):
            raise disk_full(folder) from error
        raise SpoolUnusable(
            f"The spool {folder} can't be used ({error}): see to its rights and its disk."
        ) from error


def disk_full(folder: Path) -> DiskFull:
    """The error of a disk without room."""
    return DiskFull(
        f"The disk of the spool {folder} is full: make room; what it holds is untouched."
    )


def _means_no_room(error: OSError | sqlite3.Error, folder: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return True
    return code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and _is_scarce(folder)


def _is_scarce(folder: Path) -> bool:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize < SCARCE_BYTES or room.f_favail == 0 < room.f_files
