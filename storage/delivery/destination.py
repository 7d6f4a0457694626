"""What a lane delivers into."""

from collections.abc import Sequence
from typing import Any, ClassVar

from agentruns.spool import Lane
from storage.closing import Closable
from storage.delivery.state import DeliveryState
from storage.rejection import Rejection


class Destination(Closable):
    """The stores of one lane, with connections of its own, opened when they are first used.

    After `close`, the next use opens them anew, with the settings that count by then.
    """

    lane: ClassVar[Lane]

    def __init__(self, state: DeliveryState) -> None:
        self._state = state

    def store(self, records: Sequence[Any]) -> list[Rejection]:
        """Store all of them, and tell which were refused for good; storing again changes nothing.

        Raises:
            StorageError: when a store is away or refuses us.
        """
        raise NotImplementedError

    def between_batches(self) -> None:
        """What is to be done between two batches."""

    def before_stop(self) -> None:
        """What is to be done before the delivery stops."""
