"""What is known of a migration, its items and its files."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning import printable


@dataclass(frozen=True, slots=True)
class Migration:
    """One source on its way into the stores of one agent."""

    id: UUID
    source: str
    agent_id: str
    timezone: str
    """Of times that were written down without one."""
    only_format: str | None
    """The one format whose runs are imported; None means all."""
    created_at: datetime
    inventoried_at: datetime | None
    copied_at: datetime | None
    verified_at: datetime | None
    deeply_verified_at: datetime | None
    cutover_at: datetime | None
    cutover_by: str | None
    manifest_sha256: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One trajectory, or what lies loose in one folder."""

    id: UUID
    migration_id: UUID
    path: bytes
    """Below the source; empty when the source itself is the item."""
    format: str | None
    """The reader's name; None for what no reader knows."""
    files: int
    size_bytes: int
    fingerprint: bytes
    status: str
    reason: str | None
    accepted_by: str | None
    task_ids: list[UUID]
    archive_path: str | None
    counts: dict[str, int]
    copied_at: datetime | None
    verified_at: datetime | None
    deeply_verified_at: datetime | None
    gone_at: datetime | None
    recorded_as: UUID | None
    """The task of its live recording, when it has one."""
    superseded: list[UUID]
    """Tasks that were made of it before its live recording arrived, and are to go."""

    @property
    def name(self) -> str:
        """The path for people."""
        return printable(os.fsdecode(self.path)) or "."


class ItemKey(NamedTuple):
    """An item in the order in which a migration goes through its items."""

    path: bytes
    id: UUID


#: Before every item.
START = ItemKey(b"", UUID(int=0))


class ItemFile(NamedTuple):
    """One file of an item, as the inventory found it and the copy left it."""

    item_id: UUID
    path: bytes
    size_bytes: int
    modified_ns: int
    status: str
    sha256: str | None

    def below(self, source: Path) -> Path:
        """Where it lies."""
        return source / os.fsdecode(self.path)


class Found(NamedTuple):
    """What an inventory found."""

    formats: dict[str, int]
    """Items by format; `no format` counts portions of loose files."""
    items: int
    files: int
    size_bytes: int
    ignored: int
    """Links, pipes, devices and what may not be read."""


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """What could not be imported, and why."""

    id: UUID
    path: bytes
    format: str | None
    status: str
    accepted_by: str | None
    number: int
    part: str | None
    """Below the item; None when the item as a whole could not be imported."""
    byte_offset: int | None
    reason: str | None

    @property
    def name(self) -> str:
        """The item's path for people."""
        return printable(os.fsdecode(self.path)) or "."


class Difference(NamedTuple):
    """One thing that is not as it should be."""

    path: str
    difference: str


@dataclass(frozen=True, slots=True)
class DifferenceEntry:
    """One thing that is not as it should be, and the item that it belongs to."""

    id: UUID
    path: bytes
    number: int
    part: str
    difference: str


class ManifestFile(NamedTuple):
    """One file of the manifest."""

    path: bytes
    size_bytes: int
    sha256: str | None
    decision: str


class Obstacles(NamedTuple):
    """What stands in the way of a cutover."""

    pending: int
    quarantined: int
    """Items in quarantine, whole or in part, that nobody accepted."""
    unverified: int
    """Items that were not verified byte by byte since they were copied."""
    items: int

    def reasons(self) -> list[str]:
        """Each of them in a sentence that says what to do."""
        told = [
            (self.pending, "{} items are new or changed: run 'agentruns migrate copy'."),
            (
                self.quarantined,
                "{} items are in quarantine, wholly or in part: see 'agentruns migrate "
                "quarantine', then repair them or name each with --accept.",
            ),
            (
                self.unverified,
                "{} items are not verified byte by byte: run 'agentruns migrate verify --deep'.",
            ),
        ]
        empty = [] if self.items else ["The source holds nothing at all."]
        return empty + [words.format(count) for count, words in told if count]


@dataclass(frozen=True, slots=True)
class Summary:
    """How far a migration is."""

    migration: Migration
    items: dict[str, int]
    """By status, and `total`, `gone`, `verified`, `deeply_verified`."""
    files: dict[str, int]
    size_bytes: int
    by_format: list[dict[str, Any]]

    @property
    def formats(self) -> dict[str, int]:
        """Items by format."""
        counts: dict[str, int] = {}
        for group in self.by_format:
            counts[group["format"]] = counts.get(group["format"], 0) + group["items"]
        return counts

    @property
    def is_good(self) -> bool:
        """Whether nothing waits and nothing is in quarantine."""
        return not (self.items["pending"] or self.items["quarantined"] or self.files["quarantined"])
