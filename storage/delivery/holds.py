"""Agents whose settings or rights are wrong wait, and hold up no other agent."""

import time
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from threading import Event

from storage.delivery.backoff import Backoff
from storage.delivery.groups import Agents, Group


@dataclass(slots=True)
class _Hold:
    backoff: Backoff
    since: float
    error: Exception
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
        now = time.monotonic()
        new = _Hold(Backoff(self._name, self._stopping), now, error)
        hold = self._holds.setdefault(group.agents, new)
        hold.error, hold.until = error, now + hold.backoff.failed(error)
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
        for agents, hold in tuple(self._holds.items()):
            # Other agents may have written into a segment since it was held.
            was_held = bool(hold.segments & group.segments())
            hold.segments -= group.segments()
            if agents == group.agents or (was_held and not hold.segments):
                del self._holds[agents]
                hold.backoff.over()

    def segments(self) -> Set[str]:
        """The segments that are not to be read for now."""
        now = time.monotonic()
        return _union(hold for hold in self._holds.values() if hold.until > now)

    def refused(self, but_of: str | None = None, seconds: float = 0.0) -> Set[str]:
        """The segments that could not be stored for so long, leaving out those of one agent.

        Also when they are tried once more in this moment.
        """
        then = time.monotonic() - seconds
        held = tuple(self._holds.items())  # other threads ask, too
        return _union(hold for agents, hold in held if hold.since <= then and but_of not in agents)

    def error_of(self, agent_id: str) -> Exception | None:
        """Why an agent waits, if it does."""
        held = tuple(self._holds.items())
        return next((hold.error for agents, hold in held if agent_id in agents), None)


def _union(holds: Iterable[_Hold]) -> Set[str]:
    return set[str]().union(*[hold.segments.copy() for hold in holds])
