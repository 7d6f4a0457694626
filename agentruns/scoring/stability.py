"""How smoothly did it go?"""

from agentruns.models.status import Status
from agentruns.scoring.evidence import TaskEvidence
from agentruns.scoring.score import Score, Scorer

ABRUPT = frozenset({Status.FAILED, Status.INTERRUPTED})


def trouble(evidence: TaskEvidence) -> float:
    """Errors, each weighted by how bad it is.

    A step's error is usually logged as well, so the larger of both counts; a critical entry
    counts 3, a warning 1/4, a retry 1, an abrupt end 1.
    """
    logs = evidence.logs
    errors = max(logs.error, evidence.step_errors)
    abrupt = 1 if evidence.status in ABRUPT else 0
    return 3 * logs.critical + errors + logs.warning / 4 + evidence.retries + abrupt


def stability_value(evidence: TaskEvidence) -> float | None:
    """The number alone: see `score_stability`."""
    if not evidence.steps and not any(evidence.logs):
        return None
    steps = max(1, evidence.steps)
    return steps / (steps + trouble(evidence))


def score_stability(evidence: TaskEvidence) -> Score:
    """`steps / (steps + trouble)`: 1 without trouble, 1/2 with one error a step.

    Trouble = 3 critical + max(errors logged, errors of steps) + warnings / 4 + retries
    + 1 for an abrupt end. It does not apply where neither a step nor a log entry was recorded.
    """
    value = stability_value(evidence)
    if value is None:
        return Score.not_applicable("neither a step nor a log entry was recorded")
    logs = evidence.logs
    errors = max(logs.error, evidence.step_errors)
    reason = (
        f"{errors} errors, {logs.critical} critical, {logs.warning} warnings, "
        f"{evidence.retries} retries in {evidence.steps} steps"
    )
    return Score(value, reason, {"trouble": trouble(evidence), "longest_gap_s": evidence.gap_max_s})


STABILITY = Scorer("stability", "1", score_stability)
