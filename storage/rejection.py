"""A record that a store will never take, named so that its author can be told."""

from typing import NamedTuple
from uuid import UUID


class Rejection(NamedTuple):
    """One refused record and the reason; everything beside it was stored."""

    kind: str  #: the model's name: `LogEntry`, `ProgressUpdate`, ...
    id: UUID
    reason: str
