"""Whether an item is in the stores as it is in the source, found out by reading both again."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentruns.cleaning import SecretPatterns, printable
from agentruns.models import AnyRecord
from agentruns.trajectories import Problem
from agentruns.trajectories.files import Unreadable, fingerprint
from storage.migration.comparing import MOST_DIFFERENCES, Comparing
from storage.migration.expected import Expected, Wanted
from storage.migration.item_records import read_item
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import Difference, Item, ItemFile, Migration
from storage.stores import Stores

TOLD = "Its live recording tells it otherwise: {}."


class Verifying:
    """Compares items with what the stores have of them."""

    def __init__(self, stores: Stores, migration: Migration, *, deep: bool = False) -> None:
        self._migration = migration
        self._comparing = Comparing(stores, migration.agent_id, deep=deep)
        self._recordings = LiveRecordings(stores)

    def differences(self, item: Item, files: Sequence[ItemFile]) -> list[Difference]:
        """What differs between source, rows, documents and objects; nothing when all is well."""
        if found := self._of_source(files):
            return found[:MOST_DIFFERENCES]
        expected, told = Expected(), list[Difference]()
        for record in self._records(item, expected, told):
            if not isinstance(record, Problem):
                expected.add(record)
        wanted = Wanted(item.id, item.name, item.task_ids, item.archive_path, expected)
        return [*told, *self._comparing.differences([wanted])[item.id]][:MOST_DIFFERENCES]

    def _of_source(self, files: Sequence[ItemFile]) -> list[Difference]:
        """Whether the files are still those that were copied."""
        return [Difference(_name(file), said) for file in files if (said := self._changed(file))]

    def _changed(self, file: ItemFile) -> str | None:
        try:
            printed = fingerprint(Path(self._migration.source), os.fsdecode(file.path))
        except Unreadable as fault:
            return fault.reason
        if printed.sha256 != file.sha256:
            return "The source has another content than the one that was copied."
        return None

    def _records(
        self, item: Item, expected: Expected, told: list[Difference]
    ) -> Iterator[AnyRecord | Problem]:
        """What the item brought; beside a live recording, that has to have the rest."""
        if item.recorded_as is None:
            return read_item(self._migration, item, SecretPatterns())
        live, patterns = item.recorded_as, SecretPatterns()
        found = self._recordings.beside(self._migration, item, live, patterns)
        expected.ids["tasks"] = {item.recorded_as}
        expected.files |= {file.id: (file.sha256, file.size_bytes) for file in found.files}
        told += [Difference(item.name, TOLD.format(said)) for said in found.comparison.differing]
        return found.records


def _name(file: ItemFile) -> str:
    return printable(os.fsdecode(file.path))
