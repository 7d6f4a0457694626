"""What an evaluation pass found, for programs and for people."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from agentruns.models.values import Record
from agentruns.scoring import Tally
from storage.evaluation import Counts, TaskVerdict
from tasks.markdown import plain, table


class ScorerResult(Record):
    """One scorer's verdicts, old and new, on the tasks that a pass looked at."""

    n: int
    """Scores; `not_applicable` and `failed` come on top."""
    mean: float | None
    ci_low: float | None
    """95 % interval of the mean; None below two scores."""
    ci_high: float | None
    not_applicable: int
    failed: int


class PassResult(Record):
    """One evaluation pass; `eligible` is the sum of `evaluated`, `skipped` and `failed`."""

    pass_id: UUID
    eligible: int
    """Ended tasks that the pass looked at."""
    evaluated: int
    """Tasks on which every missing verdict was given."""
    skipped: int
    """Tasks that had been judged on all their evidence."""
    failed: int
    """Tasks that at least one scorer could not judge; the other scorers' verdicts are stored."""
    scores: dict[str, ScorerResult]

    @classmethod
    def of(cls, pass_id: UUID, counts: Counts, tallies: Mapping[str, Tally]) -> "PassResult":
        """The result of a pass that is over."""
        scores = {name: _scorer_result(tally) for name, tally in tallies.items()}
        return cls(pass_id=pass_id, scores=scores, **counts._asdict())


def errors_of(tallies: Mapping[str, Tally]) -> dict[str, str]:
    """One sentence for each scorer that failed."""
    return {
        name: f"could not judge {tally.failed} tasks, the first because of {tally.first_error}"
        for name, tally in tallies.items()
        if tally.failed
    }


def as_markdown(result: PassResult, errors: Mapping[str, str], worst: Sequence[TaskVerdict]) -> str:
    """The page that people open in Prefect to see how good the tasks are."""
    parts = [
        f"**{result.evaluated}** of {result.eligible} ended tasks evaluated, "
        f"{result.skipped} up to date, {result.failed} failed.",
        *(f"Scorer **{plain(name)}** {plain(error)}" for name, error in errors.items()),
        table(
            ("scorer", "scores", "mean", "95 % interval", "does not apply", "failed"),
            [_scorer_row(name, score) for name, score in result.scores.items()],
        ),
    ]
    if worst:
        parts += ["### Lowest scores", _worst_table(worst), "More: `agentruns tasks show TASK`"]
    return "\n\n".join(parts) + "\n"


def _scorer_result(tally: Tally) -> ScorerResult:
    return ScorerResult(
        **tally.summary()._asdict(), not_applicable=tally.not_applicable, failed=tally.failed
    )


def _scorer_row(name: str, score: ScorerResult) -> Sequence[object]:
    interval = f"{_number(score.ci_low)} to {_number(score.ci_high)}"
    known = score.ci_low is not None
    return (
        plain(name),
        score.n,
        _number(score.mean),
        interval if known else "",
        score.not_applicable,
        score.failed,
    )


def _worst_table(worst: Sequence[TaskVerdict]) -> str:
    return table(
        ("score", "task", "agent", "title", "status", "why"),
        [
            (
                _number(one.score),
                f"`{one.id}`",
                plain(one.agent_id),
                plain(one.title),
                plain(one.status),
                plain(one.report),
            )
            for one in worst
        ],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
