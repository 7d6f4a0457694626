"""What we think of a task: pure functions from its evidence to a score."""

from agentruns.scoring.evidence import LogCounts, TaskEvidence
from agentruns.scoring.judging import Failure, Verdict, judge
from agentruns.scoring.registry import SCORERS, select_scorers
from agentruns.scoring.score import Metrics, Score, Scorer
from agentruns.scoring.summary import Summary, Tally

__all__ = [
    "SCORERS",
    "Failure",
    "LogCounts",
    "Metrics",
    "Score",
    "Scorer",
    "Summary",
    "Tally",
    "TaskEvidence",
    "Verdict",
    "judge",
    "select_scorers",
]
