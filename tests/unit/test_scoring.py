"""What each scorer says of known evidence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any
from uuid import UUID

import pytest

from agentruns.models import Status
from agentruns.scoring import (
    SCORERS,
    LogCounts,
    Score,
    Scorer,
    TaskEvidence,
    judge,
    select_scorers,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
DONE = TaskEvidence(
    task_id=UUID(int=1),
    agent_id="browser-1",
    status=Status.COMPLETED,
    evidence_at=START,
    created_at=START,
    started_at=START,
    finished_at=START + timedelta(seconds=300),
    updates=10,
    steps=10,
    percent=100.0,
)


def score(name: str, **changes: Any) -> Score:
    return SCORERS[name].score(replace(DONE, **changes))


@pytest.mark.parametrize(
    ("status", "percent", "value"),
    [
        (Status.COMPLETED, None, 1.0),
        (Status.FAILED, 99.0, 0.0),
        (Status.INTERRUPTED, 80.0, 0.2),
        (Status.INTERRUPTED, None, 0.0),
        (Status.CANCELLED, 50.0, None),
        (Status.IN_PROGRESS, 50.0, None),
    ],
)
def test_the_outcome_follows_the_status(
    status: Status, percent: float | None, value: float | None
) -> None:
    assert score("outcome", status=status, percent=percent).value == value


def test_efficiency_is_the_documented_formula() -> None:
    result = score("efficiency", updates=12, attempts=2)
    directness, brevity, pace = 10 / (10 + 2 + 1), 50 / 60, 30 / (30 + 30)
    assert result.value == pytest.approx(directness / 2 + brevity / 4 + pace / 4)
    assert result.reason == "10 steps, 2 repeated, 1 retries"


def test_an_unknown_pace_is_left_out() -> None:
    result = score("efficiency", finished_at=None)
    assert result.value == pytest.approx((2 * 1.0 + 50 / 60) / 3)
    assert result.metrics["pace"] is None


@pytest.mark.parametrize("changes", [{"steps": 0, "updates": 0}, {"status": Status.FAILED}])
def test_efficiency_does_not_apply_without_steps_or_success(changes: dict[str, Any]) -> None:
    assert score("efficiency", **changes).value is None


def test_stability_is_the_documented_formula() -> None:
    result = score(
        "stability",
        status=Status.FAILED,
        attempts=2,
        step_errors=3,
        logs=LogCounts(warning=4, error=2, critical=1),
    )
    assert result.value == pytest.approx(10 / (10 + 3 * 1 + 3 + 4 / 4 + 1 + 1))


def test_stability_does_not_apply_where_nothing_was_recorded() -> None:
    assert score("stability", steps=0, updates=0).value is None


def test_overall_weighs_what_applies() -> None:
    parts = [score(name, steps=0, updates=0).value for name in ("outcome", "stability")]
    assert parts == [1.0, None]
    assert score("overall", steps=0, updates=0).value == 1.0
    assert score("overall", status=Status.FAILED).value == pytest.approx(0.2 * (10 / 11) / 0.8)


def test_overall_does_not_apply_to_a_cancelled_task() -> None:
    assert score("overall", status=Status.CANCELLED).value is None


def test_swapped_times_give_no_duration() -> None:
    assert replace(DONE, finished_at=START - timedelta(seconds=1)).duration_s is None


def test_the_digest_names_the_facts_and_not_the_moment() -> None:
    later = replace(DONE, evidence_at=START + timedelta(days=1))
    assert later.digest() == DONE.digest()
    assert replace(DONE, updates=11).digest() != DONE.digest()
    assert DONE.digest() == "6ce07c8626d0f3c2377f086c2f9a6538"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Score(85.5, "a percentage"),
        lambda: Score(nan, "not a number"),
        lambda: Score(-0.1, "below"),
        lambda: Score(0.5, "NUL \x00"),
        lambda: Score(0.5, "half a \ud83d pair"),
        lambda: Score(0.5, "", {"infinite": inf}),
        lambda: Score(0.5, "", {"NUL \x00": 1}),
    ],
)
def test_a_score_that_no_store_takes_cannot_be_made(make: Callable[[], Score]) -> None:
    with pytest.raises(ValueError, match=r"score|metrics|text"):
        make()


def test_names_select_scorers_in_order_and_once() -> None:
    assert select_scorers(["stability", "outcome", "stability"]) == (
        SCORERS["stability"],
        SCORERS["outcome"],
    )
    assert [scorer.name for scorer in select_scorers()] == list(SCORERS)


def test_an_unknown_scorer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'style'.*efficiency, outcome, overall, stability"):
        select_scorers(["outcome", "style"])


def _raise(_evidence: TaskEvidence) -> Score:
    raise ZeroDivisionError("by design")


@pytest.mark.parametrize("function", [_raise, lambda _evidence: 0.5])
def test_a_broken_scorer_fails_alone(function: Callable[[TaskEvidence], Score]) -> None:
    broken = Scorer("broken", "1", function)
    verdicts, failures = judge(DONE, [broken, SCORERS["outcome"]])
    assert [scorer.name for scorer, _ in verdicts] == ["outcome"]
    assert [failure.scorer.name for failure in failures] == ["broken"]
