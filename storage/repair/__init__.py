"""Repair: a plan of what to mend, register, put back and take aside, and doing it."""

from storage.repair.models import TO_APPLY, PlannedAction, Repair, Turn
from storage.repair.repairing import Repairing
from storage.repair.store import RepairStore

__all__ = ["TO_APPLY", "PlannedAction", "Repair", "RepairStore", "Repairing", "Turn"]
