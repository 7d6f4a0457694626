"""What users may type, and what is refused with the rule in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.cli.values import (
    check_agent_id,
    check_attempts,
    check_positive,
    check_status,
    check_utf8,
    check_uuid,
    moment,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("4w", NOW - timedelta(weeks=4)),
        ("2026-11-23T10:00Z", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23T10:00+02:00", datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_age_or_an_iso_time_in_utc(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "2y", "-1h", "2026-13-01", "999999h"])
def test_anything_else_is_no_time_and_the_forms_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="2h, 7d or 4w, or an ISO time"):
        moment(text, NOW)


@pytest.mark.parametrize("agent_id", ["A", "a/b", "..", "", "a" * 58, "a\n", "é"])
def test_a_hostile_agent_id_is_refused_with_the_rule(agent_id: str) -> None:
    with pytest.raises(ValueError, match="1 to 57 small letters"):
        check_agent_id(str, agent_id)


def test_a_status_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="pending, in_progress, completed, failed"):
        check_status(str, "done")


def test_what_is_no_uuid_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="is a UUID"):
        check_uuid(str, "42")


@pytest.mark.parametrize("attempts", [0, -1, 101, 10**9])
def test_attempts_are_bounded_before_a_flow_hears_of_them(attempts: int) -> None:
    check_attempts(int, 100)
    with pytest.raises(ValueError, match="1 to 100"):
        check_attempts(int, attempts)


@pytest.mark.parametrize("value", ["\udcff", ["echo", "a\udcff"], [Path("/srv/\udcff")]])
def test_bytes_that_are_not_utf_8_are_refused_in_words(value: Any) -> None:
    check_utf8(str, ["echo", "ä\N{GRINNING FACE}", Path("/srv/ä")])
    with pytest.raises(ValueError, match="not UTF-8"):
        check_utf8(str, value)


@pytest.mark.parametrize("count", [0, -1, 10**20])
def test_a_count_is_one_or_more_and_no_counter_overflows(count: int) -> None:
    check_positive(int, 1)
    with pytest.raises(ValueError, match="1 or more"):
        check_positive(int, count)
