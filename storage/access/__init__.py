"""Who may do what: keys of agents and passwords of components, made and taken back."""

from storage.access.agents import Agent, AuditEntry, KeyState
from storage.access.keys import AgentKey
from storage.access.provisioning import Provisioning

__all__ = ["Agent", "AgentKey", "AuditEntry", "KeyState", "Provisioning"]
