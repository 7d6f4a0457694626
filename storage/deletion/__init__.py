"""Deleting for good: everything of a task or an agent, in all three stores, and never again."""

from storage.deletion.deleting import Deleting
from storage.deletion.finishing import Finished, Finishing
from storage.deletion.models import Counts, Deleted, Deletion, Plan
from storage.deletion.steps import STEPS, Step

__all__ = [
    "STEPS",
    "Counts",
    "Deleted",
    "Deleting",
    "Deletion",
    "Finished",
    "Finishing",
    "Plan",
    "Step",
]
