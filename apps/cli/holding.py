"""`agentruns tasks hold|release|held`: tasks that nothing deletes."""

from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.tables import table
from apps.cli.values import AgentIdFilter, GivenTerminal, PageLimit, PlainText, TaskId, TaskIdFilter

if TYPE_CHECKING:
    from agentruns.models import Page
    from storage.retention import Hold, Holds


def hold(task_id: TaskId, /, *, reason: PlainText = "", terminal: GivenTerminal) -> Answer:
    """Have nothing delete a task: no policy, no `tasks delete`, no `agents delete`.

    Harmless twice; another reason takes the place of the one before. Only the operator holds and
    releases; an agent cannot, not even its own task.

    Example: `agentruns tasks hold 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11 --reason "incident 42"`

    Args:
        task_id: Which task, as `agentruns tasks list` prints it.
        reason: Why, for whoever wants to delete it.
        terminal: Where to print.
    """
    with terminal.working("Holding"):
        held = _holds().hold(UUID(task_id), reason)
    text = f"The task {task_id} is held: nothing deletes it until 'agentruns tasks release'."
    return Answer(held.model_dump(mode="json") | {"held": True}, text)


def release(task_id: TaskId, /, *, terminal: GivenTerminal) -> Answer:
    """Let a task be deleted again.

    Example: `agentruns tasks release 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11`

    Args:
        task_id: Which task.
        terminal: Where to print.
    """
    with terminal.working("Releasing"):
        was_held = _holds().release(UUID(task_id))
    text = "may be deleted again" if was_held else "was not held"
    document = {"task_id": task_id, "held": False, "released": was_held}
    return Answer(document, f"The task {task_id} {text}.")


def list_held(
    *,
    agent: AgentIdFilter = None,
    limit: PageLimit = 100,
    after: TaskIdFilter = None,
    terminal: GivenTerminal,
) -> Answer:
    """List the tasks that are held, and why.

    Example: `agentruns tasks held --agent browser-1`

    Args:
        agent: Only the tasks of this agent.
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    with terminal.working("Looking"):
        page = _holds().page(limit, agent, UUID(after) if after else None)
    document = {"held": [held.model_dump(mode="json") for held in page], "next": page.next}
    return Answer(document, _as_list(page))


def _as_list(page: "Page[Hold]") -> RenderableType:
    if not page.items:
        return "No task is held."
    rows = [
        (str(held.task_id), held.agent_id, f"{held.held_at:%Y-%m-%dT%H:%M:%SZ}", held.reason)
        for held in page
    ]
    held = table("Task", "Agent", "Since", "Why", rows=rows)
    more = Text(f"There are more: add --after {page.next}", "dim", no_wrap=True)
    return Group(held, "", more) if page.next else held


def _holds() -> "Holds":
    # Late: the stores bring their drivers.
    from storage.retention import Holds
    from storage.stores import shared_stores

    return Holds(shared_stores().postgres)
