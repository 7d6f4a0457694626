"""Did the task reach its end?"""

from agentruns.models.status import Status
from agentruns.scoring.evidence import TaskEvidence
from agentruns.scoring.score import Score, Scorer

#: What a vanished agent gets at most, however far it came.
INTERRUPTED_AT_BEST = 0.25


def outcome_value(evidence: TaskEvidence) -> float | None:
    """The number alone: see `score_outcome`."""
    match evidence.status:
        case Status.COMPLETED:
            return 1.0
        case Status.FAILED:
            return 0.0
        case Status.INTERRUPTED:
            return INTERRUPTED_AT_BEST * _part_done(evidence)
        case _:
            return None


def score_outcome(evidence: TaskEvidence) -> Score:
    """1 when completed, 0 when failed, `0.25 * percent / 100` when interrupted.

    It does not apply to a cancelled task (somebody else ended it) and to one that has not ended.
    """
    value = outcome_value(evidence)
    if value is None:
        return Score.not_applicable(f"a task that is {evidence.status} has no outcome of its own")
    percent = evidence.percent
    furthest = "" if percent is None else f", at {percent:g} % at the furthest"
    return Score(value, f"{evidence.status}{furthest}", {"percent": percent})


def _part_done(evidence: TaskEvidence) -> float:
    return min(1.0, max(0.0, (evidence.percent or 0.0) / 100))


OUTCOME = Scorer("outcome", "1", score_outcome)
