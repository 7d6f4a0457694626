"""Commands recorded as `agentruns record` does it, and what the stores have of them."""

import sys
from pathlib import Path

from agentruns.commands.plan import RunPlan
from agentruns.commands.record_command import Observer, record_command
from agentruns.commands.run_record import RunRecord, flush_and_close, run_record
from agentruns.commands.signals import Signals
from agentruns.models import LogEntry
from agentruns.recording import Recorder
from storage.stores import Stores

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = EXAMPLES / "runs" / "2026-11-23_uitars157b_010146_11c0"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


def record(agent_id: str, code: str, **fields: object) -> RunRecord:
    """Record some Python."""
    return record_argv(agent_id, sys.executable, "-c", code, **fields)


def record_argv(agent_id: str, *command: str, **fields: object) -> RunRecord:
    """Record a command."""
    plan = RunPlan(agent_id=agent_id, command=command, **fields)  # type: ignore[arg-type]  # any of its fields
    return record_plan(plan, Recorder(agent_id))


def record_plan(
    plan: RunPlan,
    recorder: Recorder,
    signals: Signals | None = None,
    observer: Observer = Observer(),  # noqa: B008 - frozen
    *,
    wait: float = 30,
) -> RunRecord:
    """Record a plan and wait for the delivery."""
    outcome = record_command(plan, recorder, signals or Signals(), observer)
    return run_record(plan, outcome, flush_and_close(recorder, wait))


def logs_of(stores: Stores, done: RunRecord) -> list[LogEntry]:
    """All log entries of a run, in the order in which they were recorded."""
    entries: list[LogEntry] = []
    after = None
    while True:
        page = stores.mongo.read_logs(
            agent_id=done.agent_id, task_id=done.task_id, limit=1000, after=after
        )
        entries += page.items
        after = page.next
        if after is None:
            return sorted(entries, key=lambda entry: entry.sequence or 0)


def messages_of(stores: Stores, done: RunRecord) -> list[str]:
    """What these entries say."""
    return [entry.message for entry in logs_of(stores, done)]
