"""Runs of the checks and what they found, with their history; how checks read the tables."""

from storage.quality.models import CheckResult, QualityRun, RunCounts, Severity
from storage.quality.reading import reading_parameters
from storage.quality.store import QualityStore
from storage.quality.trend import QualityTrend

__all__ = [
    "CheckResult",
    "QualityRun",
    "QualityStore",
    "QualityTrend",
    "RunCounts",
    "Severity",
    "reading_parameters",
]
