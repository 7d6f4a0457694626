"""Who may do what: keys of agents and passwords of components, made and taken back; who did it."""

from storage.access.agents import Agent, AuditEntry, EntriesOver, KeyState
from storage.access.audit import AuditLog, keep_for
from storage.access.keys import AgentKey
from storage.access.provisioning import Provisioning

__all__ = [
    "Agent",
    "AgentKey",
    "AuditEntry",
    "AuditLog",
    "EntriesOver",
    "KeyState",
    "Provisioning",
    "keep_for",
]
