"""A segment as its delivery reads it."""

import sqlite3
import threading
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path

from agentruns.spool.damage import Salvage, looked_through, salvage, set_aside
from agentruns.spool.databases import bring_up_to_date, connect, explained, is_damage
from agentruns.spool.disk import remove_folder
from agentruns.spool.events import Event, check, read_record
from agentruns.spool.lanes import Lane
from agentruns.spool.layout import EVENTS, SEALED

MIB = 1024 * 1024
#: So few places without an event are not looked at one by one.
EMPTY = 8
READS = {
    lane: f"SELECT position, sequence, kind, payload, checksum FROM {lane} "  # noqa: S608 - our own three names
    "WHERE position > ? AND position <= ?"
    for lane in Lane
}
LASTS = {lane: f"SELECT position FROM {lane} ORDER BY position DESC LIMIT 2" for lane in Lane}  # noqa: S608 - as above
Row = tuple[int, int | None, str, str, int | None]


class Segment:
    """Events of one session, in the order in which they were written; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self._spool = path.parents[2]
        self._turns = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._salvaged: Salvage | None = None

    def sealed(self) -> bool:
        """Whether nothing more comes although its session goes on."""
        return (self.path / SEALED).exists()

    def written_at(self) -> datetime | None:
        """When something was last written, about."""
        times = [path.stat().st_mtime for path in self.path.glob(f"{EVENTS}*")]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def last(self, lane: Lane) -> int:
        """The position of the last event of a lane, 0 when there is none.

        Raises:
            SpoolError: when it can't be read now, as a full disk may have it.
        """
        with self._turns, explained(self._spool):
            return self._last(lane)

    def read(
        self, lane: Lane, after: int, limit: int = 1000, max_bytes: int = 8 * MIB
    ) -> list[Event]:
        """The events that follow a position: at most `limit`, and one more than fits `max_bytes`.

        What is damaged is an event as well, one that says so.

        Raises:
            SpoolError: when it can't be read now, as a full disk may have it.
        """
        with self._turns, explained(self._spool):
            upto = min(after + limit, self._last(lane))
            if upto <= after:  # also when it was delivered and removed meanwhile
                return []
            rows = {row[0]: row for row in self._rows(lane, after, upto, max_bytes)}
        events: list[Event] = []
        size = 0
        for position in range(after + 1, upto + 1):
            events.append(self._event(lane, position, rows.get(position)))
            size += events[-1].size
            if size >= max_bytes:
                break
        return events

    def remove(self) -> None:
        """Remove it with its objects."""
        self.close()
        remove_folder(self.path)

    def close(self) -> None:
        """Close its file; reading opens it again."""
        with self._turns:
            if self._connection:
                self._connection.close()
                self._connection = None

    def _last(self, lane: Lane) -> int:
        if self._salvaged:
            return self._looked_on(self._salvaged, lane)
        try:
            return _without_gap([row[0] for row in self._query(LASTS[lane], ())])
        except FileNotFoundError:  # its folder is made, its file not yet
            return 0
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return self._salvage(error).last[lane]

    def _looked_on(self, found: Salvage, lane: Lane) -> int:
        """Where the events end by now: its session may go on writing behind the damage."""
        known = found.last[lane]
        with suppress(FileNotFoundError):  # delivered and removed
            found.last[lane], _ = looked_through(partial(self._halved, lane), known)
        return found.last[lane]

    def _salvage(self, error: sqlite3.DatabaseError) -> Salvage:
        """Find what is left, and keep a copy of the whole aside."""
        self._salvaged = salvage(self._halved)
        set_aside(self.path, str(error), self._salvaged)
        return self._salvaged

    def _rows(self, lane: Lane, after: int, upto: int, max_bytes: int) -> list[Row]:
        try:
            rows = self._query(READS[lane], (after, upto), max_bytes)
            is_cut = sum(len(row[3]) for row in rows) >= max_bytes
            return _whole(rows, after, after + len(rows) if is_cut else upto)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            if not self._salvaged:
                self._salvage(error)
            return self._halved(lane, after, upto)

    def _halved(self, lane: Lane, after: int, upto: int) -> list[Row]:
        """The rows that can be read where some can't."""
        try:
            rows = self._query(READS[lane], (after, upto))
            # What leads astray here need not do so in a part.
            if len(rows) == upto - after or upto - after <= (1 if rows else EMPTY):
                return rows
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            if upto - after <= 1 or error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                return []
        middle = (after + upto) // 2
        return self._halved(lane, after, middle) + self._halved(lane, middle, upto)

    def _query(self, statement: str, values: tuple[int, ...], max_bytes: float = inf) -> list[Row]:
        if self._connection is None:
            self._connection = _opened(self.path / EVENTS)
        rows: list[Row] = []
        size = 0
        # One by one: a thousand long payloads need not fit into memory.
        for row in self._connection.execute(statement, values):
            rows.append(row)
            size += len(row[3]) if max_bytes < inf else 0
            if size >= max_bytes:
                break
        return rows

    def _event(self, lane: Lane, position: int, row: Row | None) -> Event:
        if row is None:
            return Event(self.name, position, None, lane, "", damage="it can't be read any more")
        _, sequence, kind, payload, sum_then = row
        try:
            check(payload, sum_then)
            record = read_record(kind, payload, sequence, self.path)
        except ValueError as error:
            return Event(self.name, position, sequence, kind, payload, damage=str(error))
        return Event(self.name, position, sequence, kind, payload, record)


def _without_gap(last_two: list[int]) -> int:
    """The last position, which the one before it has to confirm."""
    last, before = (*last_two, 0, 0)[:2]
    if last - before not in {0, 1}:
        raise _positions_missing()
    return last


def _whole(rows: list[Row], after: int, upto: int) -> list[Row]:
    """The rows, when they are all that lie between these positions."""
    if [row[0] for row in rows] != list(range(after + 1, upto + 1)):
        raise _positions_missing()
    return rows


def _positions_missing() -> sqlite3.DatabaseError:
    # SQLite takes a flipped bit in a position for another position; nobody writes with gaps.
    error = sqlite3.DatabaseError("positions are missing where events were written without gaps")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _opened(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise FileNotFoundError(path)
    connection = connect(path)
    try:
        bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
