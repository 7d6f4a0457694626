"""What people see of a migration at work."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from apps.cli.migration_progress import as_bars
from storage.migration.scanning import Member, Scanned
from storage.migration.steps import FILE_COSTS, Amount, Counting, Progress

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def progress(seconds: float = 10, step: str = "copy", **told: object) -> Progress:
    news: dict[str, object] = {
        "step": step,
        "began_at": BEGAN,
        "seen_at": BEGAN + timedelta(seconds=seconds),
        "ended_at": None,
        "items": 10,
        "files": 100,
        "size_bytes": 20_000_000,
        "troubled": 0,
        "all_items": 40,
        "all_files": 400,
        "all_bytes": 80_000_000,
    }
    return Progress(**(news | told))  # type: ignore[arg-type]


def seen(*steps: Progress) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(as_bars(steps))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_time_left_follows_from_what_is_done():
    one = progress()
    assert (one.share, one.seconds_left) == (0.25, pytest.approx(30))
    assert one.bytes_per_second == 2_000_000


def test_many_small_files_count_like_few_large_ones():
    small = progress(files=200, size_bytes=0, all_files=400, all_bytes=0)
    assert small.share == 0.5
    assert Amount(files=1).work == FILE_COSTS


@pytest.mark.parametrize(
    "odd",
    [
        progress(0),
        progress(-5),  # a clock was set back
        progress(all_items=None, all_files=None, all_bytes=None),
        progress(files=0, size_bytes=0, items=0),
        progress(files=9000, size_bytes=10**12),  # the source has grown
    ],
    ids=["no time", "time runs back", "nobody knows", "nothing done", "more than there was"],
)
def test_no_figure_is_out_of_range(odd):
    assert odd.share is None or 0 <= odd.share <= 1
    assert odd.seconds_left is None or odd.seconds_left >= 0
    assert odd.bytes_per_second >= 0
    assert "Copying" in seen(odd)


def test_items_files_bytes_rate_time_left_and_quarantine_are_seen():
    told = seen(progress(troubled=3))
    for figure in (
        *("Copying", "25%", "0:00:30 left", "10 of 40 items", "100 of 400 files"),
        *("20.0 MB of 80.0 MB", "2.0 MB/s", "3 quarantined"),
    ):
        assert figure in told


def test_each_step_has_a_bar_and_the_newest_its_figures():
    over = progress(5, "inventory", ended_at=BEGAN + timedelta(seconds=5))
    told = seen(over, progress(20, "verify", troubled=2))
    assert "Listing" in told
    assert "took 0:00:05" in told
    assert "2 different" in told


def test_a_listing_is_counted_while_it_goes_by():
    now, told = [0.0], []
    counting = Counting(told.append, lambda: now[0])
    found = [Scanned(b"a", b"", 5, 0, None), Scanned(b"b", b"", 7, 0, "A link.")]
    for _ in counting.files(found):
        now[0] += 2
    members = [Member(b"x/1", b"x", "cua"), Member(b"x/2", b"x", "cua"), Member(b"y", b"y", "cua")]
    assert list(counting.items(members)) == members
    assert len(told) > 2
    total = [sum(one) for one in zip(*told, strict=True)]
    assert Amount(*total) == Amount(items=2, files=2, size_bytes=5)
