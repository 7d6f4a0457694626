"""Names of objects that are deleted, in what checks found: they go with the objects."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

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
    def forget(self, bucket: str, paths: Sequence[str]) -> None:
        """Take the names of objects out of the inventories, and of what differed in them."""
        told = {"bucket": bucket, "paths": sorted(set(paths))}
        with self._postgres.connection(_SECONDS) as connection:
            for name in ("forget_listed", "forget_different", "forget_to_read", "forget_readings"):
                connection.execute(query(name), told)

    def forget_rows(self, deletions: Sequence[Deletion]) -> None:
        """Take what names these tasks or agents out of plans, and bad rows that checks showed."""
        self._forget_told(
            [one.task_id for one in deletions if one.task_id],
            [one.agent_id for one in deletions if one.task_id is None],
        )
        for one in deletions:
            if one.task_id is None:
                self._forget_missing({"agent_id": one.agent_id, "task_ids": None})
        task_ids = [one.task_id for one in deletions if one.task_id]
        self._forget_missing({"agent_id": None, "task_ids": task_ids})
        self._forget_samples(
            [str(one.task_id) if one.task_id else f'"{one.agent_id}"' for one in deletions]
            + [f'"{one.agent_id}/' for one in deletions if one.task_id is None]
        )

    @retried
    def _forget_told(self, task_ids: list[UUID], agent_ids: list[str]) -> None:
        with self._postgres.connection(_SECONDS) as connection:
            given = {"task_ids": task_ids, "agent_ids": agent_ids}
            for name in ("forget_told", "forget_repairs"):
                connection.execute(query(name), given)

    @retried
    def _forget_missing(self, about: dict[str, Any]) -> None:
        """What has a row and no object is in no listing of what is removed."""
        with self._postgres.connection(_SECONDS) as connection:
            connection.execute(query("forget_missing"), about)

    @retried
    def _forget_samples(self, words: list[str]) -> None:
        with self._postgres.connection(_SECONDS) as connection:
            connection.execute(query("forget_samples"), {"words": words})
