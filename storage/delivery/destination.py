"""What a lane delivers into."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from agentruns.spool import Lane
from storage.closing import Closable
from storage.delivery.state import DeliveryState
from storage.rejection import Rejection


class Destination(Closable):
    """The stores of one lane, as each agent reaches them, with connections of the lane's own.

    What was closed or forgotten is opened anew by its next use, with the settings that count then.
    """

    lane: ClassVar[Lane]

    def __init__(self, state: DeliveryState) -> None:
        self._state = state

    @abstractmethod
    def store(self, agent_id: str, records: Sequence[Any]) -> list[Rejection]:
        """Store all of them, and tell which were refused for good; storing again changes nothing.

        Raises:
            StorageError: when a store is away or refuses the agent.
        """

    @abstractmethod
    def forget(self, agent_id: str) -> None:
        """Close what this agent has open."""

    def between_batches(self) -> None:
        """What is to be done between two batches."""

    def before_stop(self) -> None:
        """What is to be done before the delivery stops."""
