"""What a recorded run tells those who asked for it."""

from contextlib import suppress
from uuid import UUID

from agentruns.commands.plan import RunPlan
from agentruns.commands.record_command import Outcome
from agentruns.models import AgentId, Status
from agentruns.models.values import Record
from agentruns.recording import FlushResult, Recorder
from agentruns.spool import SpoolError

#: How long the delivery is waited for, where nobody says.
WAIT_SECONDS = 30.0


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
    """The command's: 126 not executable, 127 not found, 128 + n killed by signal n."""
    attempts: int
    """How many were made."""
    delivered: Delivered
    pending: int
    """Records that are still in the spool, from where they will be delivered."""
    rejected: int
    """Records that a store refused for good; `agentruns spool rejected` shows them."""
    delivering: bool
    """Whether a delivery is at work on the spool."""
    lost: int
    """Records for which the spool had no room until the run was called off."""


def run_record(plan: RunPlan, outcome: Outcome, flushed: FlushResult) -> RunRecord:
    """The answer to who asked for the run."""
    return RunRecord(
        task_id=plan.task_id,
        agent_id=plan.agent_id,
        status=outcome.status,
        exit_code=outcome.ended.code,
        attempts=len(outcome.attempts),
        delivered=_delivered(flushed),
        pending=flushed.pending,
        rejected=flushed.rejected,
        delivering=flushed.delivering,
        lost=outcome.lost,
    )


def flush_and_close(recorder: Recorder, wait: float) -> FlushResult:
    """Close the recorder and tell what the stores have after at most so many seconds.

    Ctrl-C ends the waiting and nothing else.
    """
    try:
        result = recorder.flush(wait)
    except KeyboardInterrupt:
        result = recorder.flush(0)
    # A full spool: what had no room is counted as lost, and the delivery ends the run.
    with suppress(SpoolError):
        recorder.close(0)
    return result


def _delivered(flushed: FlushResult) -> Delivered:
    counts = {kind: flushed.delivered.get(kind, 0) for kind in Delivered.model_fields}
    # Beginning and end are two records of one task.
    return Delivered(**counts | {"tasks": min(1, counts["tasks"])})
