"""What a migration leaves in Prefect for people: progress, figures, quarantine, a chart."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from storage.errors import StorageError
from storage.migration.steps import Progress, Steps
from storage.stores import shared_stores
from tasks.markdown import plain
from tasks.migration_report import MigrationResult, as_markdown

#: Seconds between two words about how far it is.
_EVERY = 3.0


class ShownProgress:
    """How far the run is, on the page of the run; told every few seconds at most."""

    def __init__(self, migration_id: UUID, clock: Callable[[], float] = time.monotonic) -> None:
        self._migration_id = migration_id
        self._clock = clock
        self._told_at = clock()
        told = f"Migration {migration_id}"
        made = create_progress_artifact(0.0, key="migration-progress", description=told)
        # A promise only where an event loop runs, and no flow of ours has one.
        self._artifact = cast(UUID, made)

    def tell(self) -> None:
        """Say how far the step that works right now is."""
        if self._clock() - self._told_at < _EVERY:
            return
        self._told_at = self._clock()
        # It is only for show: whoever needs the store will say that it is away.
        with suppress(StorageError):
            steps = Steps(shared_stores().postgres).all(self._migration_id)
            self._update(max(steps, key=lambda one: one.seen_at))

    def end(self) -> None:
        """Nothing is left to do."""
        update_progress_artifact(self._artifact, 100.0, "Everything that could be done is done.")

    def _update(self, step: Progress) -> None:
        # 100 is what the end says.
        share = min(100 * (step.share or 0.0), 99.0)
        update_progress_artifact(self._artifact, share, words(step))


def words(step: Progress) -> str:
    """A step in a sentence."""
    of_items = f" of {step.all_items}" if step.all_items else ""
    left = step.seconds_left
    rest = f", {left:.0f} s left" if left else ""
    return (
        f"**{step.step}**: {step.items}{of_items} items, {step.files} files, "
        f"{step.size_bytes / 1e6:.1f} MB, {step.bytes_per_second / 1e6:.1f} MB/s{rest}"
    )


def leave_pages(result: MigrationResult) -> None:
    """Leave the chart, the figures and the quarantine for people to open."""
    items = result.items
    create_markdown_artifact(
        key="migration",
        description=f"{items['imported']} of {items['total']} items imported",
        markdown=as_markdown(result),
    )
    create_table_artifact(
        key="migration-summary",
        description=f"Migration {result.migration_id}",
        table=summary_rows(result),
    )
    create_table_artifact(
        key="migration-quarantine",
        description=f"{len(result.quarantined)} entries; 'agentruns migrate quarantine' lists all.",
        table=_quarantine_rows(result.quarantined),
    )


def summary_rows(result: MigrationResult) -> list[dict[str, Any]]:
    """What was found and what became of it, one figure a row."""
    items, files = result.items, result.files
    figures: dict[str, object] = {
        "items found": items["total"],
        **{f"items {name}": items[name] for name in ("imported", "archived", "quarantined")},
        "items waiting": items["pending"],
        "items verified": items["verified"],
        "items verified byte by byte": items["deeply_verified"],
        "files": sum(files.values()),
        "files ignored": files["ignored"],
        "files hashed": result.hashed,
        "megabytes": round(result.bytes / 1e6, 1),
        **{f"seconds of {one['step']}": one["seconds"] for one in result.steps},
    }
    return [{"what": name, "figure": figure} for name, figure in figures.items()]


def _quarantine_rows(quarantined: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "item": plain(one["item"]),
            "part": plain(one["path"] or "all of it"),
            "why it was not imported": plain(one["reason"]),
        }
        for one in quarantined
    ]
