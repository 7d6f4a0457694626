"""`agentruns tasks delete` and `agentruns agents delete`: for good, and only with --yes."""

from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.tables import table
from apps.cli.values import AgentId, Flag, GivenTerminal, TaskId

if TYPE_CHECKING:
    from storage.deletion import Counts, Deleted, Plan


def delete_task(task_id: TaskId, /, *, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Delete a task for good: its rows, log entries, memories, files and archives.

    Without --yes it says what would go. What another task shows as well stays. Nothing of the task
    is taken or imported any more afterwards, however late it arrives. Cut off in the middle, it is
    finished by the same command, or by the flow `finish-deletions`.

    Example: `agentruns tasks delete 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11 --yes`

    Args:
        task_id: Which task, as `agentruns tasks list` prints it.
        yes: Really delete it; nothing happens without it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.deletion import Deleting

    with Deleting() as deleting:
        if not yes:
            with terminal.working("Counting"):
                plan = deleting.plan_task(UUID(task_id))
            return _planned(plan, f"agentruns tasks delete {task_id} --yes")
        with terminal.working("Deleting"):
            return _deleted(deleting.delete_task(UUID(task_id)))


def delete_agent(agent_id: AgentId, /, *, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Delete an agent for good: its keys, its tasks and everything that it ever recorded.

    Without --yes it says what would go. Its name is free only for `agentruns agents add ID --anew`
    afterwards; what the old agent recorded is never taken any more. Cut off in the middle, it is
    finished by the same command, or by the flow `finish-deletions`.

    Example: `agentruns agents delete browser-1 --yes`

    Args:
        agent_id: Which agent.
        yes: Really delete it; nothing happens without it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.deletion import Deleting

    with Deleting() as deleting:
        if not yes:
            with terminal.working("Counting"):
                plan = deleting.plan_agent(agent_id)
            return _planned(plan, f"agentruns agents delete {agent_id} --yes")
        with terminal.working("Deleting"):
            return _deleted(deleting.delete_agent(agent_id))


def _planned(plan: "Plan", command: str) -> Answer:
    document = plan.model_dump(mode="json") | {"deleted": {}, "verified": plan.verified}
    if plan.finished_at:
        text = f"It was deleted on {plan.finished_at:%Y-%m-%d}."
        return Answer(document, text if plan.verified else Group(_counts(plan.found), text))
    begun = " It was begun before and not finished." if plan.deletion_id else ""
    words = f"Nothing was deleted now.{begun} '{command}' deletes this for good."
    return Answer(document, Group(_counts(plan.found), _kept(plan.kept), words))


def _deleted(done: "Deleted") -> Answer:
    document = done.model_dump(mode="json") | {"verified": done.verified}
    if done.verified:
        words = "It is deleted for good: a search in all three stores found nothing of it any more."
        return Answer(document, Group(_counts(done.deleted), words))
    words = "This is still there, or came in meanwhile: run the same command again."
    return Answer(document, Group(_counts(done.left), words), ExitCode.NOT_GOOD)


def _counts(counts: "Counts") -> RenderableType:
    rows = [
        (store, name, str(number))
        for store, told in counts.items()
        for name, number in told.items()
        if number
    ]
    return table("Store", "What", "Number", rows=rows)


def _kept(kept: int) -> str:
    return f"{kept} objects stay, as another task refers to them.\n" if kept else ""
