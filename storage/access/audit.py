"""The audit log: read page by page, and pruned when the term that its owner set is over."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from agentruns.models import Page, utcnow
from storage.access.agents import AuditEntry, EntriesOver
from storage.marker import Guard
from storage.paging import Position, checked_limit, read_cursor
from storage.postgres.connection import PgConnection
from storage.postgres.deadline import connect
from storage.postgres.errors import translated
from storage.postgres.marking import NAME, marker_of
from storage.postgres.queries import query

#: What one statement removes; a second of work.
BATCH_SIZE = 10_000

_SECONDS = 60.0


class AuditLog:
    """What was done, by whom and from where, as PostgreSQL noted it; for the operator to read.

    With a guard, it is another environment's log that is neither read nor pruned.
    """

    def __init__(self, operator_url: str, guard: Guard | None = None) -> None:
        self._url = operator_url
        self._guard = guard

    def page(  # noqa: PLR0913 - one argument a filter
        self,
        limit: int = 100,
        after: str | None = None,
        *,
        agent_id: str | None = None,
        task_id: UUID | None = None,
        what: str | None = None,
        since: datetime | None = None,
    ) -> Page[AuditEntry]:
        """A page of what was done, newest first."""
        position = read_cursor(after)
        cut = {
            "after_at": position and position.at,
            "after_id": position and position.sequence,
            "rows": checked_limit(limit) + 1,
        }
        about = {"agent_id": agent_id, "task_id": task_id, "what": what, "since": since}
        found = self._entries(about | cut)
        page = tuple(found[:limit])
        return Page(page, _cursor(page[-1]) if len(found) > limit else None)

    def over(self, now: datetime | None = None) -> EntriesOver:
        """How long entries are kept, and how many are older."""
        with self._connected() as connection:
            ((days,),) = connection.execute(query("audit_term")).fetchall()
            told = {"days": days, "now": now or utcnow()}
            ((entries, oldest),) = connection.execute(query("audit_over"), told).fetchall()
        return EntriesOver(days=days, entries=entries, oldest=oldest)

    def prune(self) -> int:
        """Remove the entries that are older than the term, batch by batch; gives how many went."""
        removed = batch = self._pruned()
        while batch == BATCH_SIZE:
            removed += (batch := self._pruned())
        return removed

    def _pruned(self) -> int:
        with self._connected() as connection:
            rows = connection.execute(query("prune_audit"), {"rows": BATCH_SIZE}).fetchall()
            return int(rows[0][0])

    def _entries(self, told: dict[str, Any]) -> list[AuditEntry]:
        with (
            self._connected() as connection,
            connection.cursor(row_factory=class_row(AuditEntry)) as cursor,
        ):
            return cursor.execute(query("audit_page"), told).fetchall()

    def _connected(self) -> AbstractContextManager[PgConnection]:
        return _connected(self._url, self._guard)


def keep_for(owner_url: str, days: int, guard: Guard | None = None) -> None:
    """Have entries of the audit log kept for so many days; the URL is the owner's.

    Raises:
        AccessDenied: when it is not.
        RecordRejected: for less than a day or more than a century.
    """
    with _connected(owner_url, guard) as connection:
        connection.execute(query("keep_audit"), {"days": days})


@contextmanager
def _connected(url: str, guard: Guard | None) -> Iterator[PgConnection]:
    with translated(), connect(url, _SECONDS) as connection:
        if guard:
            guard.check(NAME, marker_of(connection))
        yield connection


def _cursor(entry: AuditEntry) -> str:
    # The id is a number; where pages of records name a UUID, this one names none.
    return Position(entry.at, UUID(int=0), entry.id).cursor()
