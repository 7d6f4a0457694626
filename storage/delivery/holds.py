"""Agents whose settings or rights are wrong wait, and hold up no other agent."""

import time
from collections.abc import Set
from dataclasses import dataclass, field
from threading import Event

from storage.delivery.backoff import Backoff
from storage.delivery.groups import Agents, Group


@dataclass(slots=True)
class _Hold:
    backoff: Backoff
    until: float = 0.0
    segments: set[str] = field(default_factory=set)


class Holds:
    """The groups of one lane that are not tried for now."""

    def __init__(self, name: str, stopping: Event) -> None:
        self._name = name
        self._stopping = stopping
        self._holds: dict[Agents, _Hold] = {}

    def __bool__(self) -> bool:
        return bool(self._holds)

    def hold(self, group: Group, error: Exception) -> None:
        """Try the group again later, later each time."""
        hold = self._holds.setdefault(group.agents, _Hold(Backoff(self._name, self._stopping)))
        hold.until = time.monotonic() + hold.backoff.failed(error)
        hold.segments |= group.segments()

    def holds(self, group: Group) -> bool:
        """Whether it is too early for the group; if so, its segments wait as well."""
        hold = self._holds.get(group.agents)
        if hold is None or time.monotonic() >= hold.until:
            return False
        hold.segments |= group.segments()
        return True

    def release(self, group: Group) -> None:
        """The group could be stored (again)."""
        if hold := self._holds.pop(group.agents, None):
            hold.backoff.over()

    def segments(self, but_of: str | None = None) -> Set[str]:
        """The segments that are not to be read for now, leaving out those of one agent."""
        now = time.monotonic()
        # Copies: the lane of files asks for those of the rows, too.
        held = [
            hold.segments.copy()
            for agents, hold in tuple(self._holds.items())
            if hold.until > now and but_of not in agents
        ]
        return set[str]().union(*held)
