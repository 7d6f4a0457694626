"""An adapter for each agent, with the credentials of that agent and of no other."""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from storage.closing import Closable
from storage.errors import StorageError
from storage.settings import Settings


class _Adapter(Protocol):
    def close(self) -> None: ...


Adapter = TypeVar("Adapter", bound=_Adapter)

#: A new key is taken so soon, while the old one still opens the stores.
_LOOK_SECONDS = 5.0
#: More agents than this seldom share a spool; the one that was not used for the longest goes.
MOST = 16


@dataclass(slots=True)
class _Open(Generic[Adapter]):
    adapter: Adapter
    settings: Settings
    looked_at: float


class AgentAdapters(Closable, Generic[Adapter]):
    """Adapters of one store, opened when they are first used, of a bounded number of agents."""

    def __init__(
        self, opened: Callable[[Settings], Adapter], settings_of: Callable[[str], Settings]
    ) -> None:
        self._opened = opened
        self._settings_of = settings_of
        self._open: OrderedDict[str, _Open[Adapter]] = OrderedDict()

    def of(self, agent_id: str) -> Adapter:
        """The adapter that is this agent to the store."""
        if self._is_outdated(agent_id):
            self.forget(agent_id)
        if agent_id not in self._open:
            settings = self._settings_of(agent_id)
            self._open[agent_id] = _Open(self._opened(settings), settings, time.monotonic())
            if len(self._open) > MOST:
                self.forget(next(iter(self._open)))
        self._open.move_to_end(agent_id)
        return self._open[agent_id].adapter

    def forget(self, agent_id: str) -> None:
        """Close what this agent has open; its next use takes the settings that count by then."""
        if known := self._open.pop(agent_id, None):
            known.adapter.close()

    def close(self) -> None:
        """Close everything."""
        for agent_id in tuple(self._open):
            self.forget(agent_id)

    def _is_outdated(self, agent_id: str) -> bool:
        """Whether the agent has another key by now; the old one may end without an error."""
        known = self._open.get(agent_id)
        if known is None or time.monotonic() < known.looked_at + _LOOK_SECONDS:
            return False
        known.looked_at = time.monotonic()
        with suppress(StorageError):
            return self._settings_of(agent_id) != known.settings
        return False
