"""A migration as one page that anybody can read, offline and on a phone."""

from typing import TYPE_CHECKING

from apps.cli.pages import rendered
from apps.cli.tables import size_text

if TYPE_CHECKING:
    from storage.migration import Migration
    from tasks.migration_report import MigrationResult

COLOURS = (
    ("imported", "#2e7d32"),
    ("archived", "#90a4ae"),
    ("quarantined", "#c62828"),
    ("pending", "#f9a825"),
)


def as_page(result: "MigrationResult", migration: "Migration") -> str:
    """The page, which loads nothing from anywhere; recorded text is never markup in it."""
    size = size_text(result.bytes)
    groups = result.by_format
    return rendered(
        "migration.html.j2",
        result=result,
        migration=migration,
        size=size,
        colours=COLOURS,
        sizes={group["format"]: size_text(group["bytes"]) for group in groups},
        most=max((group["items"] for group in groups), default=1),
    )
