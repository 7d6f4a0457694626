"""How far a migration is, for programs and for people."""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import Any
from uuid import UUID

from agentruns.models.values import Record
from storage.migration import QuarantineEntry, Summary
from storage.migration.models import DifferenceEntry
from storage.migration.steps import Progress
from tasks.markdown import plain, table

_GLYPHS = {
    "imported": "\N{FULL BLOCK}",
    "archived": "\N{DARK SHADE}",
    "quarantined": "\N{LIGHT SHADE}",
    "pending": "\N{MIDDLE DOT}",
}
_LEGEND = ", ".join(f"{glyph} {status}" for status, glyph in _GLYPHS.items())
_COUNTED = ("items", *_GLYPHS, "files", "bytes")
_LONGEST_BAR = 30


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
    by_format: tuple[dict[str, Any], ...] = ()
    """Items by format and status, with their files and bytes; the largest format first."""
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
            by_format=tuple(_by_format(summary.by_format)),
            steps=tuple(_step(one) for one in steps),
        )

    @property
    def hashed(self) -> int:
        """Files whose SHA-256 is in the manifest."""
        return sum(self.files[status] for status in ("imported", "archived", "quarantined"))

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
    parts = [done, _chart(result.by_format), _LEGEND]
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


def _chart(groups: Sequence[dict[str, Any]]) -> str:
    """Bars made of characters, as Prefect's pages take every script and most styles away."""
    most = max((group["items"] for group in groups), default=1)
    rows = [
        (
            plain(group["format"]),
            group["items"],
            group["files"],
            f"{group['bytes'] / 1e6:.1f} MB",
            _bar(group, most),
        )
        for group in groups
    ]
    return table(("Format", "Items", "Files", "Size", "What became of them"), rows)


def _bar(group: dict[str, Any], most: int) -> str:
    # Rounded up: what is in quarantine must be seen, however few they are.
    return "".join(
        glyph * ceil(_LONGEST_BAR * group[status] / most) for status, glyph in _GLYPHS.items()
    )


def _by_format(groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, Counter[str]] = {}
    for group in groups:
        counts = found.setdefault(group["format"], Counter())
        told = {group["status"]: group["items"], "items": group["items"]}
        # PostgreSQL adds bigints up to a numeric.
        told |= {"files": int(group["files"]), "bytes": int(group["size_bytes"])}
        counts.update(told)
    rows = [
        {"format": name, **{key: counts[key] for key in _COUNTED}} for name, counts in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["items"], row["format"]))


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
