"""Copying a batch of items: everything they hold is in the stores before it is noted as done."""

import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from agentruns.cleaning import SecretPatterns
from agentruns.trajectories.file_memory import MEMORY
from storage.migration.comparing import Comparing
from storage.migration.item_copy import ItemCopy
from storage.migration.live_recordings import WAITS, LiveRecordings, Reading
from storage.migration.models import Item, Migration
from storage.migration.object_names import is_unfit
from storage.migration.outcome import Outcome
from storage.migration.reaching import at_hand
from storage.migration.store import MigrationStore
from storage.writer import RecordWriter, Written

#: What is in the stores now, and so can be verified.
COPIED = frozenset({"imported", "archived"})


class Copied(NamedTuple):
    """What came of some items."""

    imported: int = 0
    archived: int = 0
    quarantined: int = 0
    postponed: int = 0
    """They changed while they were read."""
    waiting: int = 0
    """Their live recordings still go on."""
    size_bytes: int = 0

    def __add__(self, other: "Copied") -> "Copied":  # type: ignore[override]  # counts add up
        return Copied(*(one + more for one, more in zip(self, other, strict=True)))


class Copying:
    """Takes items of migrations into the stores."""

    def __init__(
        self,
        store: MigrationStore,
        writer: RecordWriter,
        patterns: SecretPatterns | None = None,
        recordings: LiveRecordings | None = None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._patterns = patterns or SecretPatterns()
        self._recordings = recordings

    def copy(
        self, migration: Migration, ids: Sequence[UUID], comparing: Comparing | None = None
    ) -> Copied:
        """Copy these items; doing it again changes nothing.

        Args:
            migration: The migration that they belong to.
            ids: The items.
            comparing: Verifies them at once, while it is known what of them was read.

        Raises:
            StoreUnavailable: when a store is away; what is stored stands, copy them again.
        """
        copies = self._copied(migration, ids)
        if comparing:
            done = [copy for copy in copies if _is_comparable(copy.outcome)]
            found = comparing.differences([copy.wanted() for copy in done])
            self._store.note_verified([copy.item for copy in done], found)
        return sum(map(_counted, copies), Copied())

    def _copied(self, migration: Migration, ids: Sequence[UUID]) -> Sequence[ItemCopy]:
        files, items = self._store.files_of(ids), self._store.items(ids)
        fit = (files[item.id] for item in items if not is_unfit(item.path))
        with (
            tempfile.TemporaryDirectory(prefix="agentruns-") as folder,
            at_hand(migration, chain.from_iterable(fit)) as here,
            MEMORY.remembering(),
        ):
            readings = self._readings(here, items)
            copies = [
                ItemCopy(
                    *(here, item, files[item.id], Path(folder), self._patterns),
                    readings.get(item.id),
                )
                for item in items
            ]
            deleted = self._store.deleted_runs(here)
            for copy in copies:
                if deleted.holds(copy.item, copy.files):
                    copy.leave_out()
            _refuse(copies, self._writer.write(chain.from_iterable(c.records() for c in copies)))
        self._store.note_outcomes([copy.outcome for copy in copies])
        return copies

    def _readings(self, migration: Migration, items: Sequence[Item]) -> dict[UUID, Reading]:
        if self._recordings is None:
            return {}
        return self._recordings.readings(migration, items, self._patterns)


def _is_comparable(outcome: Outcome) -> bool:
    # What a live recording brought of an item is known to who reads both again.
    return outcome.status in COPIED and outcome.recorded_as is None


def _refuse(copies: Sequence[ItemCopy], written: Written) -> None:
    for copy in copies:
        copy.refuse([refused for refused in written.rejected if copy.holds(refused.id)])


def _counted(copy: ItemCopy) -> Copied:
    match copy.outcome.status:
        case "imported":
            return Copied(imported=1, size_bytes=copy.item.size_bytes)
        case "archived":
            return Copied(archived=1, size_bytes=copy.item.size_bytes)
        case "deleted":
            return Copied()
        case "quarantined":
            return Copied(quarantined=1, size_bytes=copy.item.size_bytes)
        case _ if copy.outcome.reason == WAITS:
            return Copied(waiting=1)
        case _:
            return Copied(postponed=1)
