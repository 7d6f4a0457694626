"""Whether an item is in the stores as it is in the source, found out by reading both again."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, printable
from agentruns.models import AnyRecord, Bucket, LogEntry, Memory, Upload
from agentruns.models.kinds import COUNTED_AS
from agentruns.trajectories import Problem
from agentruns.trajectories.files import Unreadable, fingerprint
from storage.errors import RecordNotFound
from storage.migration.item_records import read_item
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import Difference, Item, ItemFile, Migration
from storage.postgres.queries import query
from storage.stores import Stores

#: What one item's differences are told of at most.
MOST_DIFFERENCES = 1_000
TOLD = "Its live recording tells it otherwise: {}."
_AT_ONCE = 1_000
_ROWS = {
    "tasks": "known_tasks",
    "progress": "known_progress",
    "evaluations": "known_evaluations",
}


@dataclass(slots=True)
class _Expected:
    """What an item's reader gives, by kind; pictures by their hash alone."""

    ids: dict[str, set[UUID]] = field(default_factory=dict)
    files: dict[UUID, tuple[str, int]] = field(default_factory=dict)
    told: list[Difference] = field(default_factory=list)

    def add(self, record: AnyRecord) -> None:
        if isinstance(record, Upload):
            self.files[record.file.id] = (record.file.sha256, record.file.size_bytes)
        else:
            self.ids.setdefault(COUNTED_AS[type(record).__name__], set()).add(record.id)


class Verifying:
    """Compares items with what the stores have of them."""

    def __init__(self, stores: Stores, migration: Migration, *, deep: bool = False) -> None:
        self._stores = stores
        self._migration = migration
        self._deep = deep

    def differences(self, item: Item, files: Sequence[ItemFile]) -> list[Difference]:
        """What differs between source, rows, documents and objects; nothing when all is well."""
        found = self._of_source(files)
        if not found:
            expected = self._expected(item)
            found = [
                *expected.told,
                *self._of_rows(expected),
                *self._of_documents(expected),
                *self._of_objects(item, expected),
            ]
        return found[:MOST_DIFFERENCES]

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

    def _expected(self, item: Item) -> _Expected:
        expected = _Expected()
        for found in self._records(item, expected):
            if not isinstance(found, Problem):
                expected.add(found)
        return expected

    def _records(self, item: Item, expected: _Expected) -> Iterator[AnyRecord | Problem]:
        """What the item brought; beside a live recording, that has to have the rest."""
        if item.recorded_as is None:
            return read_item(self._migration, item, SecretPatterns())
        recordings = LiveRecordings(self._stores)
        found = recordings.beside(self._migration, item, item.recorded_as, SecretPatterns())
        expected.ids["tasks"] = {item.recorded_as}
        expected.files |= {file.id: (file.sha256, file.size_bytes) for file in found.files}
        expected.told += [
            Difference(item.name, TOLD.format(said)) for said in found.comparison.differing
        ]
        return found.records

    def _of_rows(self, expected: _Expected) -> list[Difference]:
        return [
            Difference(str(missing), f"It is not in the table {table}.")
            for table, name in _ROWS.items()
            for missing in self._missing_rows(name, expected.ids.get(table, set()))
        ]

    def _missing_rows(self, name: str, ids: Collection[UUID]) -> set[UUID]:
        return set(ids) - {row[0] for row in self._rows(name, ids)}

    def _rows(self, name: str, ids: Collection[UUID]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for some in _portions(ids):
            with self._stores.postgres.connection() as connection:
                found += connection.execute(query(name), {"ids": some}).fetchall()
        return found

    def _of_documents(self, expected: _Expected) -> list[Difference]:
        agent_id, mongo = self._migration.agent_id, self._stores.mongo
        return [
            Difference(str(missing), f"It is not among the {kind} in MongoDB.")
            for kind, model in (("logs", LogEntry), ("memories", Memory))
            for some in _portions(expected.ids.get(kind, set()))
            for missing in sorted(set(some) - mongo.known_ids(model, agent_id, some))
        ]

    def _of_objects(self, item: Item, expected: _Expected) -> list[Difference]:
        rows = {row[0]: row[1:] for row in self._rows("known_files", expected.files)}
        found = [
            Difference(str(missing), "It is not in the table binary_file_metadata.")
            for missing in expected.files.keys() - rows.keys()
        ]
        listed = self._listed(item)
        for id_, (bucket, path, size, sha256, etag) in rows.items():
            if (sha256, size) != expected.files[id_]:
                found.append(Difference(path, "Its row tells of another content."))
            elif said := self._of_object(listed.get((bucket, path)), bucket, path, size, etag):
                found.append(Difference(path, said))
        return found + self._of_archive(item, listed)

    def _listed(self, item: Item) -> dict[tuple[str, str], tuple[int, str]]:
        """Size and ETag of every object of the item's tasks."""
        minio, agent_id = self._stores.minio, self._migration.agent_id
        return {
            (bucket.value, info.path): (info.size, info.etag)
            for bucket in Bucket
            for task_id in item.task_ids
            for info in minio.list(bucket, f"{agent_id}/{task_id}/")
        }

    def _of_object(
        self, known: tuple[int, str] | None, bucket: str, path: str, size: int, etag: str | None
    ) -> str | None:
        if known is None:
            return "The object is missing."
        if known[0] != size:
            return f"The object has {known[0]} bytes where its row has {size}."
        if etag is not None and known[1] != etag:
            return "The object has another ETag than its row."
        return self._of_content(bucket, path) if self._deep else None

    def _of_content(self, bucket: str, path: str) -> str | None:
        """Whether the bytes are those that the name promises."""
        digest = hashlib.sha256()
        with self._stores.minio.stream(bucket, path) as pieces:
            for piece in pieces:
                digest.update(piece)
        promised = path.rpartition("/")[2].partition(".")[0]
        return None if digest.hexdigest() == promised else "The object has other bytes than it had."

    def _of_archive(
        self, item: Item, listed: dict[tuple[str, str], tuple[int, str]]
    ) -> list[Difference]:
        path = item.archive_path
        if path is None:
            return [Difference(item.name, "It has no archive of its files.")]
        if (Bucket.BINARIES.value, path) not in listed and not self._is_there(path):
            return [Difference(path, "The archive is missing.")]
        said = self._of_content(Bucket.BINARIES, path) if self._deep else None
        return [Difference(path, said)] if said else []

    def _is_there(self, path: str) -> bool:
        try:
            self._stores.minio.stat(Bucket.BINARIES, path)
        except RecordNotFound:
            return False
        return True


def _name(file: ItemFile) -> str:
    return printable(os.fsdecode(file.path))


def _portions(ids: Iterable[UUID]) -> Iterable[list[UUID]]:
    wanted = sorted(ids)
    return (wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE))
