"""Several scorers on one task: a broken one fails alone."""

from collections.abc import Iterable
from typing import NamedTuple

from agentruns.scoring.evidence import TaskEvidence
from agentruns.scoring.score import Score, Scorer


class Failure(NamedTuple):
    """A scorer that could not judge a task, and why."""

    scorer: Scorer
    error: Exception


Verdict = tuple[Scorer, Score]


def judge(evidence: TaskEvidence, scorers: Iterable[Scorer]) -> tuple[list[Verdict], list[Failure]]:
    """Every scorer's verdict, and the scorers that gave none."""
    verdicts: list[Verdict] = []
    failures: list[Failure] = []
    for scorer in scorers:
        try:
            verdicts.append((scorer, _checked(scorer.score(evidence))))
        # A scorer may be anybody's code: whatever it raises is its own failure.
        except Exception as error:
            failures.append(Failure(scorer, error))
    return verdicts, failures


def _checked(score: object) -> Score:
    if not isinstance(score, Score):
        raise TypeError(f"a scorer answers with a Score, not with {type(score).__name__}")
    return score
