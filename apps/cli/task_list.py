"""How a list of tasks looks: a table where it fits, two lines a task where it doesn't."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.tables import cell, score_text, status_text, table, when
from apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from agentruns.models import AgentTask, Page

#: Below this a table would have to cut ids or titles.
TABLE_COLUMNS = 110
LONGEST_STATUS = len("in_progress")


def as_list(
    page: "Page[AgentTask]", scores: Mapping[UUID, float | None], terminal: Terminal
) -> RenderableType:
    """The tasks of one page, and how to get the next."""
    if not page.items:
        return "No task is recorded here; 'agentruns record --help' says how to record one."
    fits = not terminal.out.is_terminal or terminal.out.width >= TABLE_COLUMNS
    tasks = _table(page, scores, terminal) if fits else _stacked(page, scores, terminal)
    return Group(tasks, "", _more(page.next)) if page.next else tasks


def _table(
    page: "Page[AgentTask]", scores: Mapping[UUID, float | None], terminal: Terminal
) -> RenderableType:
    rows = [
        (
            str(task.id),
            status_text(task.status),
            score_text(scores.get(task.id)),
            task.agent_id,
            task.title,
            _time(task, terminal),
        )
        for task in page
    ]
    return table("Task", "Status", "Score", "Agent", "Title", "Since", rows=rows)


def _stacked(
    page: "Page[AgentTask]", scores: Mapping[UUID, float | None], terminal: Terminal
) -> RenderableType:
    return Group(*(_two_lines(task, scores.get(task.id), terminal) for task in page))


def _two_lines(task: "AgentTask", score: float | None, terminal: Terminal) -> Text:
    status, verdict = status_text(task.status), score_text(score)
    status.pad_right(LONGEST_STATUS - len(status))
    verdict.pad_left(4 - len(verdict))
    facts = Text.assemble(status, "  ", verdict, "  ", cell(task.title))
    facts.truncate(terminal.out.width, overflow="ellipsis")
    source = Text(f"  {task.id}  {task.agent_id}, {_time(task, terminal)}", "dim")
    return Text("\n").join([facts, source])


def _time(task: "AgentTask", terminal: Terminal) -> str:
    return when(task.status_at, datetime.now(UTC), exact=not terminal.out.is_terminal)


def _more(cursor: str | None) -> Text:
    return Text(f"There are more: add --after {cursor}", "dim", no_wrap=True, overflow="ignore")
