"""What is delivered together: events of segments that belong to the same agents."""

from collections.abc import Sequence
from typing import NamedTuple

from agentruns.models import AnyRecord, Upload
from agentruns.spool import Event

#: As a rule one; a session is written by one recorder. Nobody's where no event can be read.
Agents = frozenset[str]


class Group(NamedTuple):
    """Events whose segments are acknowledged together, and whose they are."""

    agents: Agents
    events: list[Event]

    def records_of(self, agent_id: str) -> list[AnyRecord]:
        """What is to be stored with the credentials of one of the agents."""
        records = (event.record for event in self.events if event.record is not None)
        return [record for record in records if agent_of(record) == agent_id]

    def segments(self) -> set[str]:
        """The segments that the events come from."""
        return {event.segment for event in self.events}


def grouped(events: Sequence[Event]) -> list[Group]:
    """The events by the agents of their segments, in their order."""
    owners: dict[str, set[str]] = {}
    for event in events:
        known = owners.setdefault(event.segment, set())
        if event.record is not None:
            known.add(agent_of(event.record))
    groups: dict[Agents, Group] = {}
    for event in events:
        agents = frozenset(owners[event.segment])
        groups.setdefault(agents, Group(agents, [])).events.append(event)
    return list(groups.values())


def agent_of(record: AnyRecord) -> str:
    """Whose record it is."""
    return record.file.agent_id if isinstance(record, Upload) else record.agent_id
