"""Run an agent's command and record everything about it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from agentruns.models import new_id
from agentruns.recording.attempt import Attempt
from agentruns.recording.plan import MOST_ATTEMPTS, RunPlan
from agentruns.recording.run_record import RunRecord, run_record
from agentruns.recording.withheld import real_command
from tasks.markdown import plain, table
from tasks.recording import close_task, closed_in_any_case, open_task, run_attempt


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
        command=tuple(real_command(command)),
        title=title or "",
        description=description,
        watch=tuple(Path(folder).absolute() for folder in watch or ()),
        attempts=attempts,
        metadata=metadata or {},
    )
    plan = open_task(plan)
    with closed_in_any_case(plan):
        made = _attempts(plan)
        closing = close_task(plan, made)
    record = run_record(plan.task_id, plan.agent_id, made, closing)
    _show(plan, record, made)
    return record


def _attempts(plan: RunPlan) -> list[Attempt]:
    """Attempts until one ends well, or trying again would change nothing."""
    made: list[Attempt] = []
    while len(made) < plan.attempts:
        made.append(run_attempt(plan, len(made) + 1))
        if made[-1].ended.code == 0 or not made[-1].ended.started:
            break
    return made


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
        ("pending", str(record.pending)),
        ("rejected", str(record.rejected)),
    ]
    create_markdown_artifact(
        key="recorded-run",
        description=f"A run of {record.agent_id}: {record.status}",
        markdown=f"{table(('', ''), rows)}\n\nSee it: `agentruns tasks show {record.task_id}`\n",
    )
