"""Runs that were deleted for good are recognised by their content, and not imported again."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from agentruns.trajectories.files import Unreadable, fingerprint
from storage.migration.models import Item, ItemFile, Migration
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query
from storage.retries import retried

REASON = "Its run was deleted for good, and is not imported again."


class DeletedRuns:
    """What is known of the deleted runs of one migration's agent."""

    def __init__(self, postgres: PostgresAdapter, migration: Migration) -> None:
        self._postgres = postgres
        self._migration = migration
        self._is_any = self._asked()

    def holds(self, item: Item, files: Sequence[ItemFile]) -> bool:
        """Whether the files of an item are those of a deleted run, whatever they are called."""
        if not self._is_any or item.format is None:
            return False
        known = self._contents(len(files), sum(file.size_bytes for file in files))
        return bool(known) and self._content(files) in known

    def _content(self, files: Sequence[ItemFile]) -> bytes | None:
        source = Path(self._migration.source)
        try:
            hashes = [fingerprint(source, os.fsdecode(file.path)).sha256 for file in files]
        except Unreadable:
            return None
        # As the query `remember_sources` has it.
        return hashlib.sha256(" ".join(sorted(hashes)).encode()).digest()

    @retried
    def _asked(self) -> bool:
        told = {"agent_id": self._migration.agent_id}
        with self._postgres.connection() as connection:
            return bool(connection.execute(query("is_any_source_deleted"), told).fetchall()[0][0])

    @retried
    def _contents(self, files: int, size_bytes: int) -> set[bytes]:
        told = {"agent_id": self._migration.agent_id, "files": files, "size_bytes": size_bytes}
        with self._postgres.connection() as connection:
            return {bytes(row[0]) for row in connection.execute(query("sources_of_size"), told)}
