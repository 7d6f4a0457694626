"""What a recorded run tells those who asked for it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from agentruns.models import AgentId, Status
from agentruns.models.values import Record
from agentruns.recording.attempt import Attempt
from agentruns.recording.sink import Delivery


class Delivered(Record):
    """How many records of each kind reached the stores."""

    tasks: int = 0
    progress: int = 0
    logs: int = 0
    memories: int = 0
    files: int = 0


class RunRecord(Record):
    """A run as it was recorded."""

    task_id: UUID
    agent_id: AgentId
    status: Status
    exit_code: int
    """0 well, 126 not executable, 127 not found, 128 + n killed by signal n."""
    attempts: int
    """How many were made."""
    delivered: Delivered
    pending: int
    """Records that reached no store, as one was away for too long."""
    rejected: int
    """Records that a store refused for good; each is told in the log of the flow run."""


def run_record(
    task_id: UUID, agent_id: str, attempts: Sequence[Attempt], closing: Delivery
) -> RunRecord:
    """The attempts and the closing of a run in one answer."""
    deliveries = [*(attempt.delivery for attempt in attempts), closing]
    ended = attempts[-1].ended
    return RunRecord(
        task_id=task_id,
        agent_id=agent_id,
        status=final_status(attempts),
        exit_code=ended.code,
        attempts=len(attempts),
        delivered=_sum(deliveries),
        pending=sum(delivery.pending for delivery in deliveries),
        rejected=sum(len(delivery.rejected) for delivery in deliveries),
    )


def final_status(attempts: Sequence[Attempt]) -> Status:
    """What has become of the task: the last attempt decides."""
    return Status.COMPLETED if attempts[-1].ended.code == 0 else Status.FAILED


def _sum(deliveries: Iterable[Delivery]) -> Delivered:
    every = [delivery.delivered for delivery in deliveries]
    totals = {kind: sum(one[kind] for one in every) for kind in Delivered.model_fields}
    # Beginning and end are two writes of one task.
    return Delivered(**totals | {"tasks": 1})
