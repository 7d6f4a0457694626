"""An adapter for each agent, with the credentials of that agent and of no other."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from storage.closing import Closable
from storage.settings import Settings


class _Adapter(Protocol):
    def close(self) -> None: ...


Adapter = TypeVar("Adapter", bound=_Adapter)

#: More agents than this seldom share a spool; the one that was not used for the longest goes.
MOST = 16


class AgentAdapters(Closable, Generic[Adapter]):
    """Adapters of one store, opened when they are first used, of a bounded number of agents."""

    def __init__(
        self, opened: Callable[[Settings], Adapter], settings_of: Callable[[str], Settings]
    ) -> None:
        self._opened = opened
        self._settings_of = settings_of
        self._adapters: OrderedDict[str, Adapter] = OrderedDict()

    def of(self, agent_id: str) -> Adapter:
        """The adapter that is this agent to the store."""
        if agent_id not in self._adapters:
            self._adapters[agent_id] = self._opened(self._settings_of(agent_id))
            if len(self._adapters) > MOST:
                self.forget(next(iter(self._adapters)))
        self._adapters.move_to_end(agent_id)
        return self._adapters[agent_id]

    def forget(self, agent_id: str) -> None:
        """Close what this agent has open; its next use takes the settings that count by then."""
        if adapter := self._adapters.pop(agent_id, None):
            adapter.close()

    def close(self) -> None:
        """Close everything."""
        for agent_id in tuple(self._adapters):
            self.forget(agent_id)
