"""How far the steps of a migration are, counted while they work."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from storage.migration.outcome import Outcome
from storage.migration.scanning import Member, Scanned
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retries import retried

#: A file costs as much as about so many bytes: its object, its row, its log entries.
FILE_COSTS = 32 * 2**10
#: News of a listing come about so often.
_SECONDS = 1.0


class Amount(NamedTuple):
    """What was done of a step."""

    items: int = 0
    files: int = 0
    size_bytes: int = 0
    troubled: int = 0
    """Items that went into quarantine, or in which something differs."""

    @property
    def work(self) -> int:
        """One figure for many small files and few large ones alike."""
        return self.size_bytes + FILE_COSTS * self.files


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is."""

    step: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    items: int
    files: int
    size_bytes: int
    troubled: int
    all_items: int | None
    all_files: int | None
    all_bytes: int | None

    @property
    def seconds(self) -> float:
        """How long it took until the last news of it."""
        return max(((self.ended_at or self.seen_at) - self.began_at).total_seconds(), 0.0)

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None when nobody knows how much there is."""
        if self.ended_at:
            return 1.0
        if not self.all_items:
            return None
        whole = Amount(0, self.all_files or 0, self.all_bytes or 0).work
        return min(Amount(0, self.files, self.size_bytes).work / max(whole, 1), 1.0)

    @property
    def bytes_per_second(self) -> float:
        """The rate since it began."""
        return self.size_bytes / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time that the rest takes at this rate; None while that cannot be told."""
        if self.ended_at:
            return 0.0
        return self.seconds * (1 - self.share) / self.share if self.share else None


class Steps:
    """Keeps how far the steps of migrations are."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def begin(
        self, migration_id: UUID, step: str, *, only_new: bool = False, deep: bool = False
    ) -> None:
        """Count a step from nothing on; with `only_new`, what was verified before is not in it."""
        given = {"migration_id": migration_id, "step": step, "only_new": only_new, "deep": deep}
        self._run("begin_step", given)

    @retried
    def count(self, migration_id: UUID, step: str, done: Amount) -> None:
        """So much more of a step is done."""
        with self._postgres.connection() as connection:
            count(connection, migration_id, step, done)

    @retried
    def end(self, migration_id: UUID, step: str) -> None:
        """Nothing is left to do in a step."""
        self._run("end_step", {"migration_id": migration_id, "step": step})

    @retried
    def all(self, migration_id: UUID) -> Sequence[Progress]:
        """How far each step is that ever began, in the order in which they did."""
        given = {"migration_id": migration_id}
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(Progress)) as cursor,
        ):
            return cursor.execute(query("steps_of_migration"), given).fetchall()

    @retried
    def is_running(self, migration_id: UUID) -> bool:
        """Whether somebody works on a migration right now."""
        with self._postgres.connection() as connection:
            found = connection.execute(query("is_migration_held"), {"id": migration_id})
            return bool(found.fetchall()[0][0])

    def _run(self, name: str, given: dict[str, object]) -> None:
        with self._postgres.connection() as connection:
            connection.execute(query(name), given)


def count(connection: PgConnection, migration_id: UUID, step: str, done: Amount) -> None:
    """Count it together with what it counts, or not at all."""
    told = {"migration_id": migration_id, "step": step, **done._asdict()}
    connection.execute(query("count_step"), told)


def count_copied(connection: PgConnection, outcomes: Sequence[Outcome]) -> None:
    """Count the items of a batch that are settled, and were not when it was first tried."""
    settled = [o for o in outcomes if o.status != "pending" and o.item.status == "pending"]
    for migration_id, some in groupby(settled, lambda one: one.item.migration_id):
        count(connection, migration_id, "copy", _amount(list(some)))


def _amount(outcomes: Sequence[Outcome]) -> Amount:
    return Amount(
        len(outcomes),
        sum(one.item.files for one in outcomes),
        sum(one.item.size_bytes for one in outcomes),
        sum(one.status == "quarantined" for one in outcomes),
    )


class Counting:
    """Counts what an inventory finds while it goes by, and tells about every second."""

    def __init__(
        self, tell: Callable[[Amount], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._told_at = clock()
        self._news = Amount()

    def files(self, scanned: Iterable[Scanned]) -> Iterator[Scanned]:
        """The same paths, counted."""
        for one in scanned:
            yield one
            self._add(files=1, size_bytes=one.size_bytes if one.reason is None else 0)
        self._say()

    def items(self, members: Iterable[Member]) -> Iterator[Member]:
        """The same paths, their items counted."""
        for _, some in groupby(members, lambda one: (one.format, one.item_path)):
            yield from some
            self._add(items=1)
        self._say()

    def known(self, items: int) -> None:
        """As many items are there as before."""
        self._add(items=items)
        self._say()

    def _add(self, items: int = 0, files: int = 0, size_bytes: int = 0) -> None:
        news = self._news
        self._news = Amount(news.items + items, news.files + files, news.size_bytes + size_bytes)
        if self._clock() - self._told_at >= _SECONDS:
            self._say()

    def _say(self) -> None:
        self._tell(self._news)
        self._news, self._told_at = Amount(), self._clock()
