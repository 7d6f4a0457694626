"""`agentruns audit ...`: who let whom in and out."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.tables import table
from apps.cli.values import AgentIdFilter, GivenTerminal, PageLimit

if TYPE_CHECKING:
    from agentruns.models import Page
    from storage.access import AuditEntry


def list_entries(
    *,
    agent: AgentIdFilter = None,
    limit: PageLimit = 100,
    after: str | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """List what was done to agents and their keys, by whom and from where, newest first.

    The database itself keeps this list, and nobody can change it.

    Example: `agentruns audit list --agent browser-1`

    Args:
        agent: Only what was done to this agent.
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with Provisioning() as access:
        page = access.audit(limit, after, agent)
    entries = [entry.model_dump(mode="json") for entry in page]
    return Answer({"entries": entries, "next": page.next}, as_list(page))


def as_list(page: "Page[AuditEntry]") -> RenderableType:
    """One line an entry, and how to get the next page."""
    if not page.items:
        return "Nothing was done to any agent yet."
    rows = [
        (
            entry.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"{entry.who}@{entry.address or 'local'}",
            entry.what,
            entry.agent_id or "",
            str(entry.details.get("key_id", "")),
        )
        for entry in page
    ]
    entries = table("When", "Who", "What", "Agent", "Name", rows=rows)
    more = Text(f"There are more: add --after {page.next}", "dim", no_wrap=True)
    return Group(entries, "", more) if page.next else entries
