"""Runs of the checks and what they found, with their history; how checks read the tables."""

from storage.quality.models import CheckResult, QualityRun, Severity
from storage.quality.reading import reading_parameters
from storage.quality.store import QualityStore

__all__ = ["CheckResult", "QualityRun", "QualityStore", "Severity", "reading_parameters"]
