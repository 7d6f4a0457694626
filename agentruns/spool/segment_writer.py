"""A segment as its session writes it."""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from agentruns.models import AnyRecord, Upload
from agentruns.spool.databases import bring_up_to_date, connect
from agentruns.spool.disk import UNFINISHED, make_folder, sync_folder, write_text
from agentruns.spool.events import Row, as_row, checksum
from agentruns.spool.lanes import Lane
from agentruns.spool.layout import EVENTS, SEALED
from agentruns.spool.objects import keep_object

INSERTS = {
    lane: f"INSERT INTO {lane} (sequence, kind, payload, checksum) VALUES (?, ?, ?, ?)"  # noqa: S608 - our own three names
    for lane in Lane
}
#: The log is written over after so many pages, so it seldom grows, which costs a commit more.
CHECKPOINT_PAGES = 250
Numbered = tuple[Row, int | None]
Values = tuple[int | None, str, str, int]


class SegmentWriter:
    """Appends events, and keeps their objects beside them; one thread at a time."""

    def __init__(self, session: Path, number: int) -> None:
        self.number = number
        self.path = _made(session, number)
        self.events = 0
        self._objects = 0
        self._connection = connect(self.path / EVENTS)
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, rows: Sequence[Numbered]) -> None:
        """Have all of them on the disk, or none."""
        if self._connection.in_transaction:  # Ctrl-C came when it was about to be rolled back
            self._connection.execute("ROLLBACK")
        if len(rows) == 1:
            ((row, sequence),) = rows
            self._connection.execute(INSERTS[row.lane], _values(row, sequence))
        else:
            self._write_together(rows)
        self.events += len(rows)

    def write_records(self, records: Sequence[AnyRecord]) -> None:
        """Write records that have no place in an order."""
        self.write([(as_row(record), None) for record in records])

    def keep(self, upload: Upload) -> None:
        """Have the object of an upload on the disk; to be called before its event is written."""
        self._objects += keep_object(upload, self.path)

    def size(self) -> int:
        """How many bytes it has."""
        total = self._objects
        for name in (EVENTS, f"{EVENTS}-wal", f"{EVENTS}-shm"):
            with suppress(FileNotFoundError):
                total += os.stat(self.path / name).st_size  # noqa: PTH116 - at every event
        return total

    def seal(self) -> None:
        """Say that nothing more comes."""
        write_text(self.path / SEALED, "")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write_together(self, rows: Sequence[Numbered]) -> None:
        by_lane: dict[Lane, list[Values]] = defaultdict(list)
        for row, sequence in rows:
            by_lane[row.lane].append(_values(row, sequence))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for lane, values in by_lane.items():
                self._connection.executemany(INSERTS[lane], values)
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled it back already
                self._connection.execute("ROLLBACK")
            raise


def _values(row: Row, sequence: int | None) -> Values:
    return sequence, row.kind, row.payload, checksum(row.payload)


def _made(session: Path, number: int) -> Path:
    """A new segment, which its readers see once it is complete."""
    path = session / f"{number:06d}"
    new = path.with_name(f"{UNFINISHED}new-{path.name}")
    make_folder(new)
    # Closed before it gets its name: its files lie beside it under the name they were opened by.
    with closing(connect(new / EVENTS, create=True)) as connection:
        bring_up_to_date(connection, new)
    sync_folder(new)
    new.rename(path)
    sync_folder(session)
    return path
