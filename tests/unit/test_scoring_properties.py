"""What every scorer promises whatever the evidence."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from agentruns.models import Status
from agentruns.scoring import SCORERS, LogCounts, TaskEvidence

COUNTS = st.integers(0, 10**6)
AMOUNTS = st.none() | st.floats(0, 1e9)
TIMES = st.datetimes(timezones=st.just(UTC))
ENOUGH = st.integers(1, 1000)

EVIDENCE = st.builds(
    TaskEvidence,
    task_id=st.just(UUID(int=1)),
    agent_id=st.just("a"),
    status=st.sampled_from(Status),
    evidence_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    created_at=TIMES,
    started_at=st.none() | TIMES,
    finished_at=st.none() | TIMES,
    attempts=COUNTS,
    updates=COUNTS,
    steps=COUNTS,
    step_errors=COUNTS,
    percent=st.none() | st.floats(0, 100),
    gap_mean_s=AMOUNTS,
    gap_max_s=AMOUNTS,
    tokens=st.none() | COUNTS,
    cost=AMOUNTS,
    files=COUNTS,
    screenshots=COUNTS,
    file_bytes=COUNTS,
    logs=st.builds(LogCounts, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
)


def value(name: str, evidence: TaskEvidence) -> float | None:
    return SCORERS[name].score(evidence).value


@given(EVIDENCE)
def test_every_score_is_between_0_and_1_or_does_not_apply(evidence: TaskEvidence) -> None:
    for name in SCORERS:
        answer = value(name, evidence)
        assert answer is None or 0 <= answer <= 1


@given(EVIDENCE)
def test_equal_evidence_gives_equal_verdicts_and_digests(evidence: TaskEvidence) -> None:
    again = replace(evidence)
    assert evidence.digest() == again.digest()
    for scorer in SCORERS.values():
        assert scorer.score(evidence) == scorer.score(again)


@given(EVIDENCE, st.sampled_from(["warning", "error", "critical"]), ENOUGH)
def test_more_trouble_in_the_log_never_raises_a_score(
    evidence: TaskEvidence, level: str, more: int
) -> None:
    logs = evidence.logs._replace(**{level: getattr(evidence.logs, level) + more})
    _never_better(evidence, replace(evidence, logs=logs), ("stability", "efficiency"))


@given(EVIDENCE, ENOUGH)
def test_more_errors_of_steps_never_raise_stability(evidence: TaskEvidence, more: int) -> None:
    worse = replace(evidence, step_errors=evidence.step_errors + more)
    _never_better(evidence, worse, ("stability", "overall"))


@given(EVIDENCE, ENOUGH)
def test_repeating_steps_never_raises_efficiency(evidence: TaskEvidence, more: int) -> None:
    _never_better(evidence, replace(evidence, updates=evidence.updates + more), ("efficiency",))


@given(EVIDENCE, ENOUGH)
def test_retries_never_raise_a_score(evidence: TaskEvidence, more: int) -> None:
    worse = replace(evidence, attempts=evidence.attempts + more)
    _never_better(evidence, worse, ("efficiency", "stability", "overall"))


@given(EVIDENCE)
def test_completing_is_never_worse_than_failing(evidence: TaskEvidence) -> None:
    completed = value("overall", replace(evidence, status=Status.COMPLETED))
    failed = value("overall", replace(evidence, status=Status.FAILED))
    assert completed is not None
    assert failed is not None
    assert completed > failed


def _never_better(before: TaskEvidence, after: TaskEvidence, names: tuple[str, ...]) -> None:
    for name in names:
        earlier, later = value(name, before), value(name, after)
        # Without anything recorded a scorer does not apply, and one record makes it apply.
        if earlier is not None:
            assert later is not None
            assert later <= earlier
