"""How values look, and that what was recorded cannot steer the terminal."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.cli.tables import cell, score_text, size_text, status_text, when
from apps.cli.terminal import readable, wants_plain

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(seconds=0), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=3, seconds=20), "3 min ago"),
        (timedelta(hours=26), "1 d ago"),
        (timedelta(days=8), "2026-11-15T12:00:00Z"),
        (timedelta(seconds=-5), "2026-11-23T12:00:05Z"),
    ],
)
def test_people_read_how_long_ago_it_was(age: timedelta, shown: str) -> None:
    assert when(NOW - age, NOW, exact=False) == shown


def test_programs_read_the_time_itself() -> None:
    assert when(NOW - timedelta(seconds=5), NOW, exact=True) == "2026-11-23T11:59:55Z"


def test_no_time_is_a_dash() -> None:
    assert when(None, NOW, exact=True) == "-"


@pytest.mark.parametrize(
    ("score", "shown", "colour"),
    [(None, "-", "dim"), (0.0, "0.00", "red"), (0.5, "0.50", "yellow"), (1.0, "1.00", "green")],
)
def test_a_score_goes_from_red_to_green(score: float | None, shown: str, colour: str) -> None:
    text = score_text(score)
    assert (text.plain, text.style) == (shown, colour)


def test_a_status_nobody_knows_is_shown_without_colour() -> None:
    assert status_text("strange").style == ""


def test_sizes_are_shown_as_people_say_them() -> None:
    assert [size_text(size) for size in (0, 999, 1500, 2_000_000, 3_000_000_000)] == [
        *("0 B", "999 B", "1.5 kB", "2.0 MB", "3.0 GB")
    ]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x9b31m", "a\rb", "\u202eevil", "\x07"])
def test_recorded_text_cannot_steer_the_terminal(hostile: str) -> None:
    assert readable(hostile).isprintable()


def test_emoji_and_lines_stay_as_they_are() -> None:
    assert readable("👩\u200d💻\nünï") == "👩\u200d💻\nünï"


def test_a_cell_is_one_line_and_no_markup() -> None:
    assert cell("one\n  two [red]three[/red]").plain == "one two [red]three[/red]"


def test_no_color_counts_only_before_the_recorded_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_plain(["status", "--no-color"])
    assert not wants_plain(["record", "--", "agent", "--no-color"])


@pytest.mark.parametrize(("value", "plain"), [("1", True), ("", False)])
def test_the_environment_says_no_colour(
    monkeypatch: pytest.MonkeyPatch, value: str, plain: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    assert wants_plain([]) is plain
