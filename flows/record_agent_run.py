"""Run an agent's command and record everything about it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from agentruns.commands.attempt import Attempt
from agentruns.commands.plan import MOST_ATTEMPTS, RunPlan
from agentruns.commands.record_command import Observer, record_command
from agentruns.commands.run_record import WAIT_SECONDS, RunRecord, flush_and_close, run_record
from agentruns.commands.signals import Signals
from agentruns.models import new_id
from agentruns.recording import Recorder
from tasks.markdown import plain, table
from tasks.recording import run_attempt


@flow(flow_run_name="record-{agent_id}", persist_result=False)
def record_agent_run(  # noqa: PLR0913 - the fields of the form in Prefect's UI
    agent_id: str,
    command: Annotated[list[str], Field(min_length=1)],
    *,
    title: str | None = None,
    description: str | None = None,
    watch: list[str] | None = None,
    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = 1,
    task_id: UUID | None = None,
    metadata: dict[str, Any] | None = None,
) -> RunRecord:
    """Run a command for an agent and record it: output, files, trajectories, exit status.

    The command gets no credential of ours. Hand it secrets in its environment: Prefect keeps
    the parameters of a run as they are.

    Args:
        agent_id: Whose run it is: lower case letters, digits, `-` and `_`, at most 57.
        command: The program and its arguments, one item each. No shell reads them.
        title: What people call the run; without it the command, shortened.
        description: What the agent was asked to do.
        watch: Folders in which the command leaves trajectories and other files.
        attempts: How often the command may be started until it ends well.
        task_id: The task to record into; without it a new one.
        metadata: Anything else worth keeping with the task.
    """
    plan = RunPlan(
        task_id=task_id or new_id(),
        agent_id=agent_id,
        command=tuple(command),
        title=title or "",
        description=description,
        watch=tuple(Path(folder).absolute() for folder in watch or ()),
        attempts=attempts,
        metadata=metadata or {},
    )
    recorder = Recorder(agent_id)
    observer = Observer(notify=get_run_logger().warning)
    # Prefect listens to signals itself, and what it raises ends the command.
    outcome = record_command(plan, recorder, Signals(), observer, runner=run_attempt)
    record = run_record(plan, outcome, flush_and_close(recorder, WAIT_SECONDS))
    _show(plan, record, outcome.attempts)
    return record


def _show(plan: RunPlan, record: RunRecord, attempts: Sequence[Attempt]) -> None:
    """Leave the page that people open in Prefect to see what became of the run."""
    delivered = record.delivered.model_dump()
    rows = [
        ("agent", record.agent_id),
        ("task", f"`{record.task_id}`"),
        ("status", f"**{record.status}**"),
        ("command", plain(shlex.join(plan.shown_command()), longest=500)),
        *((f"attempt {one.number}", plain(one.ended.reason)) for one in attempts),
        ("stored", ", ".join(f"{count} {kind}" for kind, count in delivered.items())),
        ("still in the spool", str(record.pending)),
        ("rejected", str(record.rejected)),
    ]
    create_markdown_artifact(
        key="recorded-run",
        description=f"A run of {record.agent_id}: {record.status}",
        markdown=f"{table(('', ''), rows)}\n\nSee it: `agentruns tasks show {record.task_id}`\n",
    )
