"""What can become of a task, and in which order."""

from enum import StrEnum


class Status(StrEnum):
    """The state of a task."""

    PENDING = "pending"  #: known, not begun
    IN_PROGRESS = "in_progress"  #: an agent works on it
    COMPLETED = "completed"  #: the agent reached the end
    FAILED = "failed"  #: the agent stopped with an error
    CANCELLED = "cancelled"  #: somebody called it off
    INTERRUPTED = "interrupted"  #: the agent vanished; it may be resumed


#: The whole state machine: what may follow each status. Finished stays finished.
MAY_FOLLOW: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset(Status) - {Status.PENDING},
    Status.IN_PROGRESS: frozenset(Status) - {Status.PENDING, Status.IN_PROGRESS},
    Status.INTERRUPTED: frozenset(Status) - {Status.PENDING, Status.INTERRUPTED},
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

#: Nothing more is expected of a task in one of these, so it can be evaluated.
ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})


def may_become(status: Status) -> frozenset[Status]:
    """Every status that a task may leave for `status`."""
    return frozenset(earlier for earlier, later in MAY_FOLLOW.items() if status in later)
