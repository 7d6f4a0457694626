"""How far a migration is, for programs and for people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agentruns.models.values import Record
from storage.migration import QuarantineEntry, Summary
from storage.migration.models import DifferenceEntry
from storage.migration.steps import Progress
from tasks.markdown import plain, table


class MigrationResult(Record):
    """How far a migration is, with the first of what is not good."""

    migration_id: UUID
    source: str
    agent_id: str
    items: dict[str, int]
    files: dict[str, int]
    bytes: int
    formats: dict[str, int]
    quarantined: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    steps: tuple[dict[str, Any], ...] = ()
    """What the last of each step has done, and how long it took."""

    @classmethod
    def of(
        cls,
        summary: Summary,
        quarantine: Sequence[QuarantineEntry],
        differences: Sequence[DifferenceEntry],
        steps: Sequence[Progress] = (),
    ) -> "MigrationResult":
        """What is told of a migration."""
        return cls(
            migration_id=summary.migration.id,
            source=summary.migration.source,
            agent_id=summary.migration.agent_id,
            items=summary.items,
            files=summary.files,
            bytes=summary.size_bytes,
            formats=summary.formats,
            quarantined=[_quarantined(entry) for entry in quarantine],
            differences=[
                {"item": str(one.id), "path": one.part, "difference": one.difference}
                for one in differences
            ],
            steps=tuple(_step(one) for one in steps),
        )

    @property
    def is_good(self) -> bool:
        """Whether nothing waits, nothing is in quarantine and nothing differs."""
        waiting = self.items["pending"] + self.items["quarantined"] + self.files["quarantined"]
        return not (waiting or self.quarantined or self.differences)


def as_markdown(result: MigrationResult) -> str:
    """The page that people open in Prefect."""
    items = result.items
    done = (
        f"**{items['imported']}** of {items['total']} items imported, "
        f"{items['archived']} archived, "
        f"{items['quarantined']} quarantined, {items['pending']} waiting, "
        f"{items['verified']} verified ({items['deeply_verified']} byte by byte)."
    )
    formats = table(("Format", "Items"), [(plain(k), n) for k, n in result.formats.items()])
    parts = [done, formats]
    if result.quarantined:
        rows = [
            (plain(q["item"]), plain(q["path"] or "-"), plain(q["reason"]))
            for q in result.quarantined
        ]
        parts.append(table(("Item", "Part", "Why it was not imported"), rows))
    if result.differences:
        found = [_cells(d, "path", "difference") for d in result.differences]
        parts.append(table(("Where", "What differs"), found))
    return "\n\n".join(parts)


def _cells(entry: dict[str, Any], *names: str) -> list[str]:
    return [plain(entry[name] or "-") for name in names]


def _quarantined(entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "item_id": str(entry.id),
        "item": entry.name,
        "format": entry.format,
        "path": entry.part,
        "offset": entry.byte_offset,
        "reason": entry.reason or "",
        "accepted_by": entry.accepted_by,
    }


def _step(one: Progress) -> dict[str, Any]:
    return {
        "step": one.step,
        "began_at": one.began_at.isoformat(),
        "ended_at": one.ended_at and one.ended_at.isoformat(),
        "seconds": round(one.seconds, 1),
        "share": one.share,
        "items": one.items,
        "files": one.files,
        "bytes": one.size_bytes,
        "troubled": one.troubled,
    }
