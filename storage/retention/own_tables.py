"""Our own tables that only grow: passes of evaluation, runs of the checks."""

from datetime import datetime
from typing import LiteralString, NamedTuple

from pydantic_core import to_json

from storage.acts import Act
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retention.models import Kind, Policy, PolicyReport
from storage.retries import retried

#: A fraction of a second of work, also with what hangs on the rows.
BATCH_SIZE = 1_000
_SECONDS = 60.0


class _Queries(NamedTuple):
    counting: LiteralString
    pruning: LiteralString


_QUERIES = {
    Kind.PASSES: _Queries("count_old_passes", "prune_passes"),
    Kind.QUALITY: _Queries("count_old_checks", "prune_checks"),
}


class OwnTables:
    """Counts and removes what is older than a policy says; the newest always stays."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def plan(self, policy: Policy, now: datetime) -> PolicyReport:
        """How many rows would go."""
        with self._postgres.connection(_SECONDS) as connection:
            counted = connection.execute(query(_QUERIES[policy.kind].counting), _told(policy, now))
            return _report(policy, int(counted.fetchall()[0][0]))

    def prune(self, policy: Policy, now: datetime) -> PolicyReport:
        """Remove them, batch by batch."""
        removed = 0
        while batch := self._pruned(policy, now):
            removed += batch
        return _report(policy, removed)

    @retried
    def _pruned(self, policy: Policy, now: datetime) -> int:
        told = _told(policy, now) | {"rows": BATCH_SIZE}
        with self._postgres.connection(_SECONDS) as connection:
            removed = connection.execute(query(_QUERIES[policy.kind].pruning), told).rowcount
            if removed:
                details = {"policy": policy.name, "rows": removed}
                entries = to_json([Act(details=details).entry()]).decode()
                connection.execute(
                    query("audit"), {"what": "retention applied", "entries": entries}
                )
        return removed


def _told(policy: Policy, now: datetime) -> dict[str, object]:
    return {"before": now - policy.older_than, "keep_last": policy.keep_last or 1}


def _report(policy: Policy, rows: int) -> PolicyReport:
    return PolicyReport(policy=policy.name, kind=policy.kind, rows=rows)
