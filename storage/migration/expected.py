"""What an item's reader gives, so far as it takes to find it in the stores again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from agentruns.models import AnyRecord, Upload
from agentruns.models.kinds import COUNTED_AS


@dataclass(slots=True)
class Expected:
    """The ids of records by kind; pictures by their hash and size."""

    ids: dict[str, set[UUID]] = field(default_factory=dict)
    files: dict[UUID, tuple[str, int]] = field(default_factory=dict)

    def add(self, record: AnyRecord) -> None:
        """Expect a record."""
        if isinstance(record, Upload):
            self.files[record.file.id] = (record.file.sha256, record.file.size_bytes)
        else:
            self.ids.setdefault(COUNTED_AS[type(record).__name__], set()).add(record.id)

    def of(self, kind: str) -> set[UUID]:
        """The ids of one kind."""
        return self.ids.get(kind, set())

    def __contains__(self, id_: object) -> bool:
        """Whether a record of this id is expected."""
        return id_ in self.files or any(id_ in ids for ids in self.ids.values())


class Wanted(NamedTuple):
    """One item that should be in the stores, and what of it."""

    item_id: UUID
    name: str
    task_ids: Sequence[UUID]
    archive_path: str | None
    expected: Expected
