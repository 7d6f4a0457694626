"""Means and intervals over many scores."""

from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.scoring import Tally

SCORES = st.lists(st.none() | st.floats(0, 1), max_size=50)


def tally(scores: list[float | None]) -> Tally:
    result = Tally()
    for score in scores:
        result.add(score)
    return result


@pytest.mark.parametrize(
    ("n", "t"), [(2, 12.7062), (3, 4.3027), (4, 3.1824), (11, 2.2281), (31, 2.0423), (1001, 1.9623)]
)
def test_the_interval_is_students(n: int, t: float) -> None:
    scores: list[float | None] = [0.5 + 0.01 * (i % 2) for i in range(n)]
    known = [score for score in scores if score is not None]
    summary = tally(scores).summary()
    assert summary.mean == pytest.approx(mean(known))
    assert summary.ci_high is not None
    reach = summary.ci_high - mean(known)
    assert reach == pytest.approx(t * stdev(known) / n**0.5, rel=2e-3)


def test_nothing_gives_no_mean_and_one_score_no_interval() -> None:
    assert tally([None]).summary() == (0, None, None, None)
    assert tally([None, 0.25]).summary() == (1, 0.25, None, None)


def test_equal_scores_have_an_interval_of_no_width() -> None:
    assert tally([0.1] * 10).summary()[1:] == pytest.approx((0.1, 0.1, 0.1))


@given(SCORES, SCORES)
def test_batches_add_up_to_the_whole(first: list[float | None], second: list[float | None]) -> None:
    parts = tally(first)
    parts += tally(second)
    whole = tally(first + second)
    assert (parts.n, parts.not_applicable) == (whole.n, whole.not_applicable)
    assert parts.summary().mean == pytest.approx(whole.summary().mean)


@given(SCORES)
def test_the_interval_holds_the_mean_and_stays_within_0_and_1(scores: list[float | None]) -> None:
    summary = tally(scores).summary()
    if summary.mean is not None and summary.ci_low is not None and summary.ci_high is not None:
        assert 0 <= summary.ci_low <= summary.mean + 1e-9
        assert summary.mean - 1e-9 <= summary.ci_high <= 1


def test_failures_are_counted_and_the_first_is_kept() -> None:
    result = Tally()
    result.add_failure(ValueError("first"))
    result.add_failure(ValueError("second"))
    assert (result.failed, result.first_error) == (2, "ValueError: first")
