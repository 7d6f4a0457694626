"""Which tasks go by a policy, and why others stay."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from storage.mongo.removing import DocumentRemover
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retention.models import AgentShare, Kept, Policy
from storage.retries import retried

#: So many tasks are looked at in one statement.
PAGE = 1_000
_SECONDS = 60.0
_NOT_MEANT = "not meant"


class Place(NamedTuple):
    """The last task that was looked at, in the order in which all are gone through."""

    agent_id: str
    task_id: UUID


#: Before every task.
START = Place("", UUID(int=0))


class Judged(NamedTuple):
    """What becomes of the next tasks."""

    reached: Place
    going: list[UUID]
    kept: tuple[Kept, ...]


class Judging:
    """Asks PostgreSQL what becomes of tasks; nothing is changed."""

    def __init__(self, postgres: PostgresAdapter, documents: DocumentRemover) -> None:
        self._postgres = postgres
        self._documents = documents

    def pages(self, policy: Policy, before: datetime, after: Place = START) -> Iterator[Judged]:
        """All ended tasks after a place, page by page."""
        while page := self.page(policy, before, after):
            yield page
            after = page.reached

    @retried
    def page(self, policy: Policy, before: datetime, after: Place) -> Judged | None:
        """The next ended tasks; None when there are none."""
        with self._postgres.connection(_SECONDS) as connection:
            return self.page_now(connection, policy, before, after)

    def page_now(
        self, connection: PgConnection, policy: Policy, before: datetime, after: Place
    ) -> Judged | None:
        """The same, as a transaction that holds some of them sees it."""
        told = {
            "agents": policy.agents_like,
            "statuses": list(policy.statuses),
            "before": before,
            "keep_last": policy.keep_last,
            "keep_below": policy.keep_below,
            "scorer": policy.scorer,
            "keep_tagged": list(policy.keep_tagged),
            "after_agent_id": after.agent_id,
            "after_id": after.task_id,
            "rows": PAGE,
        }
        rows = connection.execute(query("judge_tasks"), told).fetchall()
        if not rows:
            return None
        return Judged(
            reached=Place(rows[-1][0], rows[-1][1]),
            going=[id_ for _, id_, why in rows if not why],
            kept=_kept([(id_, why) for _, id_, why in rows if why and why != _NOT_MEANT]),
        )

    def weigh(self, ids: Sequence[UUID]) -> list[AgentShare]:
        """How much these tasks are, by agent."""
        shares = []
        for row in self._weighed(ids):
            documents = self._documents.of_tasks(row["agent_id"], row.pop("ids"))
            number = sum(sum(counts.values()) for counts in documents.values())
            shares.append(AgentShare(**row, documents=number))
        return shares

    @retried
    def _weighed(self, ids: Sequence[UUID]) -> list[dict[str, Any]]:
        with (
            self._postgres.connection(_SECONDS) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return cursor.execute(query("weigh_tasks"), {"ids": list(ids)}).fetchall()


def _kept(reasons: list[tuple[UUID, str]]) -> tuple[Kept, ...]:
    examples = {why: id_ for id_, why in reversed(reasons)}
    counted = Counter(why for _, why in reasons)
    return tuple(
        Kept(reason=why, tasks=number, such_as=examples[why]) for why, number in counted.items()
    )
