"""All in one number."""

from agentruns.scoring.efficiency import efficiency_parts
from agentruns.scoring.evidence import TaskEvidence
from agentruns.scoring.outcome import outcome_value
from agentruns.scoring.score import Score, Scorer
from agentruns.scoring.stability import stability_value

#: Reaching the end is what counts; how it was reached decides among those that did.
OUTCOME_WEIGHT, EFFICIENCY_WEIGHT, STABILITY_WEIGHT = 0.6, 0.2, 0.2


def score_overall(evidence: TaskEvidence) -> Score:
    """`(0.6 outcome + 0.2 efficiency + 0.2 stability)` over the weights of those that apply.

    It does not apply where the outcome does not: how smoothly a cancelled task went says
    nothing about how good it was.
    """
    outcome = outcome_value(evidence)
    if outcome is None:
        return Score.not_applicable(f"a task that is {evidence.status} has no outcome of its own")
    parts = efficiency_parts(evidence)
    efficiency = None if parts is None else parts.value
    stability = stability_value(evidence)
    total, weight = OUTCOME_WEIGHT * outcome, OUTCOME_WEIGHT
    if efficiency is not None:
        total, weight = total + EFFICIENCY_WEIGHT * efficiency, weight + EFFICIENCY_WEIGHT
    if stability is not None:
        total, weight = total + STABILITY_WEIGHT * stability, weight + STABILITY_WEIGHT
    return Score(
        min(1.0, total / weight),
        f"{evidence.status}; weighs what applies of outcome, efficiency and stability",
        {"outcome": outcome, "efficiency": efficiency, "stability": stability},
    )


OVERALL = Scorer("overall", "1", score_overall)
