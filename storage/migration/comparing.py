"""Whether what is expected of some items is in the stores: a few questions for all of them."""

import hashlib
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.models import Bucket, LogEntry, Memory
from storage.errors import RecordNotFound
from storage.migration.expected import Expected, Wanted
from storage.migration.listings import Listings
from storage.migration.models import Difference
from storage.postgres.queries import query
from storage.stores import Stores
from storage.writer import in_parallel

#: What one item's differences are told of at most.
MOST_DIFFERENCES = 1_000
_AT_ONCE = 1_000
#: Listings at a time; the server answers no more of them a second with more.
_THREADS = 4
_ROWS = {
    "tasks": "known_tasks",
    "progress": "known_progress",
    "evaluations": "known_evaluations",
}
_DOCUMENTS: dict[str, type[LogEntry] | type[Memory]] = {"logs": LogEntry, "memories": Memory}

#: Path of an object to its size and ETag.
_Listed = Mapping[str, tuple[int, str]]


class _Row(NamedTuple):
    """What PostgreSQL knows of an object."""

    bucket: str
    path: str
    size: int
    sha256: str
    etag: str | None


class _Found(NamedTuple):
    """What the stores have of some items."""

    missing: dict[str, set[UUID]]
    """By kind."""
    rows: dict[UUID, _Row]
    archives: dict[str, _Row]
    """By path."""


class Comparing:
    """Compares items of an agent with what the stores have of them."""

    def __init__(self, stores: Stores, agent_id: str, *, deep: bool = False) -> None:
        self._stores = stores
        self._agent_id = agent_id
        self._deep = deep
        self._listings = Listings(stores.minio, agent_id)

    def differences(self, items: Sequence[Wanted]) -> dict[UUID, list[Difference]]:
        """By item, what is not there or is another; nothing when all is well."""
        found = _Found(self._missing(items), self._rows_of_files(items), self._archives(items))
        objects = in_parallel(partial(self._of_objects, found), items, _THREADS)
        return {
            item.item_id: [*_missing_of(item.expected, found), *differ][:MOST_DIFFERENCES]
            for item, differ in zip(items, objects, strict=True)
        }

    def _missing(self, items: Sequence[Wanted]) -> dict[str, set[UUID]]:
        missing: dict[str, set[UUID]] = {}
        for kind in (*_ROWS, *_DOCUMENTS):
            ids = set().union(*(item.expected.of(kind) for item in items))
            missing[kind] = ids - self._known(kind, ids)
        return missing

    def _known(self, kind: str, ids: Collection[UUID]) -> set[UUID]:
        if name := _ROWS.get(kind):
            return {row[0] for row in self._rows(name, ids)}
        known = partial(self._stores.mongo.known_ids, _DOCUMENTS[kind], self._agent_id)
        return set().union(*map(known, _portions(ids)))

    def _rows_of_files(self, items: Sequence[Wanted]) -> dict[UUID, _Row]:
        ids = set(chain.from_iterable(item.expected.files for item in items))
        return {row[0]: _Row(*row[1:]) for row in self._rows("known_files", ids)}

    def _archives(self, items: Sequence[Wanted]) -> dict[str, _Row]:
        paths = sorted({item.archive_path for item in items if item.archive_path})
        with self._stores.postgres.connection() as connection:
            rows = connection.execute(query("known_archives"), {"paths": paths}).fetchall()
        return {row[0]: _Row(*row[1:]) for row in rows}

    def _rows(self, name: str, ids: Collection[UUID]) -> Iterator[tuple[Any, ...]]:
        for some in _portions(ids):
            with self._stores.postgres.connection() as connection:
                yield from connection.execute(query(name), {"ids": some}).fetchall()

    def _of_objects(self, found: _Found, item: Wanted) -> list[Difference]:
        rows = {id_: found.rows[id_] for id_ in item.expected.files if id_ in found.rows}
        buckets = {row.bucket for row in rows.values()}
        listed = {bucket: self._listed(item, bucket) for bucket in buckets}
        differ = [
            Difference(row.path, said)
            for id_, row in rows.items()
            if (said := self._of_file(row, item.expected.files[id_], listed[row.bucket]))
        ]
        return [*differ, *self._of_archive(found, item)]

    def _listed(self, item: Wanted, bucket: str) -> _Listed:
        """Size and ETag of every object of the item's tasks in a bucket."""
        return ChainMap(*(self._listings.of(bucket, task_id) for task_id in item.task_ids))

    def _of_file(self, row: _Row, expected: tuple[str, int], listed: _Listed) -> str | None:
        if (row.sha256, row.size) != expected:
            return "Its row tells of another content."
        return self._of_object(row, listed.get(row.path), "The object")

    def _of_object(self, row: _Row, known: tuple[int, str] | None, what: str) -> str | None:
        if known is None:
            return f"{what} is missing."
        if known[0] != row.size:
            return f"{what} has {known[0]} bytes where its row has {row.size}."
        if row.etag is not None and known[1] != row.etag:
            return f"{what} has another ETag than its row."
        return self._of_content(row.bucket, row.path) if self._deep else None

    def _of_content(self, bucket: str, path: str) -> str | None:
        """Whether the bytes are those that the name promises."""
        digest = hashlib.sha256()
        with self._stores.minio.stream(bucket, path) as pieces:
            for piece in pieces:
                digest.update(piece)
        is_same = digest.hexdigest() == _promised(path)
        return None if is_same else "The object has other bytes than it had."

    def _of_archive(self, found: _Found, item: Wanted) -> list[Difference]:
        path = item.archive_path
        if path is None:
            return [Difference(item.name, "It has no archive of its files.")]
        row = found.archives.get(path)
        if row is None:
            return [Difference(path, "The archive is not in the table binary_file_metadata.")]
        if row.sha256 != _promised(path):
            return [Difference(path, "The row of the archive tells of another content.")]
        said = self._of_object(row, self._looked_up(path), "The archive")
        return [Difference(path, said)] if said else []

    def _looked_up(self, path: str) -> tuple[int, str] | None:
        try:
            info = self._stores.minio.stat(Bucket.BINARIES, path).info
        except RecordNotFound:
            return None
        return info.size, info.etag


def _promised(path: str) -> str:
    """The SHA-256 of the content, as the name has it."""
    return path.rpartition("/")[2].partition(".")[0]


def _missing_of(expected: Expected, found: _Found) -> Iterator[Difference]:
    for kind, missing in found.missing.items():
        where = f"in the table {kind}" if kind in _ROWS else f"among the {kind} in MongoDB"
        for id_ in sorted(expected.of(kind) & missing):
            yield Difference(str(id_), f"It is not {where}.")
    for id_ in expected.files.keys() - found.rows.keys():
        yield Difference(str(id_), "It is not in the table binary_file_metadata.")


def _portions(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    wanted = sorted(ids)
    return (wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE))
