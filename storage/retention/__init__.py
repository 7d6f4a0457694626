"""How long what is recorded is kept: policies, holds, and what goes by them."""

from storage.retention.holds import Hold, Holds
from storage.retention.models import AgentShare, Kept, Kind, Policy, PolicyReport, RetentionReport
from storage.retention.policies import Policies
from storage.retention.retaining import Retaining

__all__ = [
    "AgentShare",
    "Hold",
    "Holds",
    "Kept",
    "Kind",
    "Policies",
    "Policy",
    "PolicyReport",
    "Retaining",
    "RetentionReport",
]
