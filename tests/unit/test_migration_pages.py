"""What people read about a migration, in Prefect and as a page of its own."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.cli.migration_page import as_page
from storage.migration import Migration, Summary
from storage.migration.steps import Progress
from tasks.migration_pages import summary_rows
from tasks.migration_report import MigrationResult, as_markdown

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ID = UUID(int=7)
STATUSES = ("imported", "archived", "quarantined", "pending")


@pytest.fixture
def migration() -> Migration:
    return Migration(
        *(ID, "/runs/<b>old</b>", "agent1", "UTC", None, BEGAN),
        *(BEGAN, BEGAN, None, None, None, None, None),
    )


@pytest.fixture
def result(migration: Migration) -> MigrationResult:
    """1,000 imported runs, one in quarantine, and some loose files."""
    groups = [
        {"format": "no format", "status": "archived", "items": 2, "files": 9, "size_bytes": 90},
        {"format": "<img src=x>", "status": "imported", "items": 1000, "files": 5000}
        | {"size_bytes": 123_000_000},
        {"format": "<img src=x>", "status": "quarantined", "items": 1, "files": 3}
        | {"size_bytes": 1_000_000},
    ]
    items = dict.fromkeys(STATUSES, 0) | {"imported": 1000, "archived": 2, "quarantined": 1}
    items |= {"total": 1003, "gone": 0, "verified": 1002, "deeply_verified": 0}
    files = {"listed": 0, "imported": 5000, "archived": 9, "quarantined": 3, "ignored": 1}
    copying = Progress(
        *("copy", BEGAN, BEGAN, BEGAN + timedelta(seconds=12)),
        *(1003, 5012, 124_000_090, 1, 1003, 5012, 124_000_090),
    )
    summary = Summary(migration, items, files, 124_000_090, groups)
    return MigrationResult.of(summary, [], [], [copying])


def test_the_chart_shows_each_format_and_even_one_run_in_quarantine(result):
    chart = as_markdown(result).splitlines()
    (bar,) = [line for line in chart if "img src" in line]
    assert "| 1001 | 5003 | 124.0 MB |" in bar
    assert bar.count("\N{FULL BLOCK}") == 30
    assert bar.count("\N{LIGHT SHADE}") == 1
    (small,) = [line for line in chart if line.startswith("| no format")]
    assert small.count("\N{DARK SHADE}") == 1


def test_no_name_means_anything_to_prefect_or_a_browser(result, migration):
    assert r"| \<img src=x\> |" in as_markdown(result)
    page = as_page(result, migration)
    assert "<img" not in page
    assert "<b>" not in page


def test_the_page_tells_a_manager_everything(result, migration):
    page = as_page(result, migration)
    for told in ("1003", "1000", "124.0 MB", "5012 files have their SHA-256", "12.0 s for 1003"):
        assert told in page


def test_the_figures_are_those_of_the_result(result):
    figures = {row["what"]: row["figure"] for row in summary_rows(result)}
    assert figures["items found"] == 1003
    assert figures["files hashed"] == 5012
    assert figures["megabytes"] == 124.0
    assert figures["seconds of copy"] == 12.0


def test_a_migration_that_found_nothing_has_pages_too(migration):
    items = dict.fromkeys((*STATUSES, "total", "gone", "verified", "deeply_verified"), 0)
    files = dict.fromkeys(("listed", "imported", "archived", "quarantined", "ignored"), 0)
    empty = MigrationResult.of(Summary(migration, items, files, 0, []), [], [])
    assert as_page(empty, migration)
    assert as_markdown(empty)
