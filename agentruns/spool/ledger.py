"""What has become of the events of a spool."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self
from uuid import UUID

from agentruns.models import utcnow
from agentruns.spool.databases import connect, explained, script, statements
from agentruns.spool.events import COUNTED
from agentruns.spool.lanes import Lane
from agentruns.spool.layout import LEDGER

SQL = statements("ledger.sql")


class Rejected(NamedTuple):
    """An event that a store refused for good, or that could not be read."""

    id: str
    session: str
    kind: str
    agent_id: str | None
    task_id: str | None
    reason: str
    payload: str
    object: str | None = None
    """The file below `rejected/` that holds its content."""
    rejected_at: str = ""


class TouchedTasks(NamedTuple):
    """Tasks about which something was stored outside PostgreSQL."""

    upto: int
    """The last entry of them, to have these forgotten and no later ones."""
    tasks: set[UUID]


class Counts(NamedTuple):
    """What has become of the events of one session."""

    delivered: dict[str, int]
    """Events in the stores, by kind."""
    rejected: int
    acknowledged: int
    """Events that need nothing more, delivered or rejected."""


class Ledger:
    """How far each segment is acknowledged, what was refused; many may read, all may write."""

    def __init__(self, spool: Path) -> None:
        """Open the ledger of a spool, or begin it."""
        self._spool = spool
        self._turns = threading.RLock()
        with explained(spool):
            self._connection = connect(spool / LEDGER, create=True)
            self._connection.executescript(script("ledger_tables.sql"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def position(self, segment: str, lane: Lane) -> int:
        """The last event of a segment that needs nothing more, 0 before the first."""
        found = self._rows(SQL["position"], (segment, lane))
        return int(found[0][0]) if found else 0

    def acknowledge(
        self,
        lane: Lane,
        upto: Mapping[str, int],
        delivered: Mapping[str, Mapping[str, int]],
        rejected: Sequence[Rejected] = (),
        touched: Collection[tuple[str, UUID]] = (),
    ) -> None:
        """Note, all or nothing, that the events up to a position need nothing more.

        Args:
            lane: Which way they went.
            upto: The position by segment.
            delivered: How many are in the stores, by session and kind.
            rejected: Those that were refused.
            touched: Agents and their tasks of which PostgreSQL has yet to hear that something
                was stored.
        """
        with self._transaction() as connection:
            connection.executemany(SQL["advance"], [(name, lane, upto[name]) for name in upto])
            for session, kinds in delivered.items():
                counts = [(session, kind, number) for kind, number in kinds.items()]
                connection.executemany(SQL["count_delivered"], counts)
            connection.executemany(SQL["reject"], [_stamped(one) for one in rejected])
            connection.executemany(
                SQL["add_touched"], [(agent_id, str(task_id)) for agent_id, task_id in touched]
            )

    def counts(self, session: str) -> Counts:
        """What has become of the events of a session."""
        known = dict(self._rows(SQL["delivered_of_session"], (session,)))
        delivered = {kind: known.get(kind, 0) for kind in COUNTED}
        ((rejected,),) = self._rows(SQL["rejected_of_session"], (session,))
        ((acknowledged,),) = self._rows(SQL["acknowledged_of_session"], _segments_of(session))
        return Counts(delivered, rejected, acknowledged)

    def rejected(self, limit: int = 100, after: str | None = None) -> list[Rejected]:
        """A page of what was refused, by id."""
        return [Rejected(*row) for row in self._rows(SQL["list_rejected"], (after or "", limit))]

    def rejected_count(self) -> int:
        """How many events were refused and not taken up again."""
        ((number,),) = self._rows(SQL["count_rejected"])
        return int(number)

    def find_rejected(self, ids: Collection[str]) -> list[Rejected]:
        """Those of the refused events that are there."""
        return [Rejected(*row) for one in ids for row in self._rows(SQL["find_rejected"], (one,))]

    def forget_rejected(self, gone: Collection[Rejected]) -> None:
        """Take events off the list, unless they were refused once more in the meantime."""
        with self._transaction() as connection:
            connection.executemany(
                SQL["forget_rejected"], [(one.id, one.rejected_at) for one in gone]
            )

    def needs_object(self, name: str) -> bool:
        """Whether a refused event has this object."""
        return bool(self._rows(SQL["has_object"], (name,)))

    def touched_agents(self) -> list[str]:
        """The agents of whose tasks PostgreSQL has yet to hear that something was stored."""
        return [agent_id for (agent_id,) in self._rows(SQL["touched_agents"])]

    def touched_tasks(self, agent_id: str, limit: int = 1000) -> TouchedTasks:
        """Tasks of an agent of which PostgreSQL has yet to hear that something was stored."""
        found = self._rows(SQL["touched"], (agent_id, limit))
        return TouchedTasks(found[-1][0] if found else 0, {UUID(task_id) for _, task_id in found})

    def forget_touched(self, agent_id: str, upto: int) -> None:
        """Note that PostgreSQL has heard of an agent's up to this entry; later ones stay."""
        with self._transaction() as connection:
            connection.execute(SQL["forget_touched"], (agent_id, upto))

    def forget(self, session: str) -> None:
        """Forget a session that is over and delivered; what was refused stays."""
        with self._transaction() as connection:
            connection.execute(SQL["forget_positions"], _segments_of(session))
            connection.execute(SQL["forget_delivered"], (session,))

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]  # as SQLite gives them
        with self._turns, explained(self._spool):
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turns, explained(self._spool):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise


def _segments_of(session: str) -> tuple[str, str]:
    """Between which names the segments of a session lie, and no other's."""
    return f"{session}/", f"{session}0"  # "0" follows "/"


def _stamped(rejected: Rejected) -> Rejected:
    return rejected._replace(rejected_at=rejected.rejected_at or utcnow().isoformat())
