"""How directly did the task reach its end?"""

from typing import NamedTuple

from agentruns.models.status import Status
from agentruns.scoring.evidence import TaskEvidence
from agentruns.scoring.score import Score, Scorer

#: A task of this many steps has half of the points for brevity.
MANY_STEPS = 50
#: A step of this many seconds has half of the points for pace.
SLOW_STEP_S = 30.0


class Parts(NamedTuple):
    """What efficiency is made of, each 0 to 1."""

    directness: float
    brevity: float
    pace: float | None
    """None where no time is known."""

    @property
    def value(self) -> float:
        """Directness counts half, brevity and pace a quarter each; an unknown pace is left out."""
        if self.pace is None:
            return (2 * self.directness + self.brevity) / 3
        return (2 * self.directness + self.brevity + self.pace) / 4


def efficiency_parts(evidence: TaskEvidence) -> Parts | None:
    """The parts of the score; None where it does not apply."""
    if evidence.status is not Status.COMPLETED or not evidence.steps:
        return None
    steps = evidence.steps
    seconds = _seconds_per_step(evidence)
    return Parts(
        directness=steps / (steps + evidence.repeated_steps + evidence.retries),
        brevity=MANY_STEPS / (MANY_STEPS + steps),
        pace=None if seconds is None else SLOW_STEP_S / (SLOW_STEP_S + seconds),
    )


def score_efficiency(evidence: TaskEvidence) -> Score:
    """Half directness, a quarter brevity, a quarter pace; of completed tasks with steps.

    directness = steps / (steps + repeated steps + retries)
    brevity    = 50 / (50 + steps)
    pace       = 30 s / (30 s + seconds per step); left out where no time is known
    """
    parts = efficiency_parts(evidence)
    if parts is None:
        why = "no step was recorded" if evidence.steps == 0 else f"the task is {evidence.status}"
        return Score.not_applicable(f"{why}, so there is nothing to be efficient about")
    reason = (
        f"{evidence.steps} steps, {evidence.repeated_steps} repeated, {evidence.retries} retries"
    )
    return Score(
        parts.value,
        reason,
        {
            "directness": parts.directness,
            "brevity": parts.brevity,
            "pace": parts.pace,
            "tokens": evidence.tokens,
            "cost": evidence.cost,
        },
    )


def _seconds_per_step(evidence: TaskEvidence) -> float | None:
    duration = evidence.duration_s
    return evidence.gap_mean_s if duration is None else duration / evidence.steps


EFFICIENCY = Scorer("efficiency", "1", score_efficiency)
