"""Names of objects that are deleted, in what checks found: they go with the objects."""

from collections.abc import Sequence

from agentruns.models import Bucket
from storage.deletion.models import Deletion
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried

_SECONDS = 60.0


class Names:
    """Takes names out of inventories, differences and samples; again changes nothing."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def forget(self, bucket: Bucket, paths: Sequence[str]) -> None:
        """Take the names of objects out of the inventories, and of what differed in them."""
        told = {"bucket": bucket, "paths": sorted(set(paths))}
        with self._postgres.connection(_SECONDS) as connection:
            for name in ("forget_listed", "forget_different"):
                connection.execute(query(name), told)

    def forget_rows(self, deletions: Sequence[Deletion]) -> None:
        """Take what names these tasks or agents out of the bad rows that checks showed."""
        self._forget_samples(
            [str(one.task_id) if one.task_id else f'"{one.agent_id}"' for one in deletions]
            + [f'"{one.agent_id}/' for one in deletions if one.task_id is None]
        )

    @retried
    def _forget_samples(self, words: list[str]) -> None:
        with self._postgres.connection(_SECONDS) as connection:
            connection.execute(query("forget_samples"), {"words": words})
