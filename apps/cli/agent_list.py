"""How agents and their keys look."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.tables import table, when
from apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from agentruns.models import Page
    from storage.access import Agent

STYLES = {"valid": "green", "ending": "yellow", "begun": "red", "over": "red", "revoked": "dim"}


def as_list(page: "Page[Agent]", terminal: Terminal) -> RenderableType:
    """One line an agent, and how to get the next page."""
    if not page.items:
        return "No agent was let in yet; 'agentruns agents add browser-1' does."
    rows = [
        (agent.agent_id, _rights(agent), _keys(agent), _when(agent.created_at, terminal))
        for agent in page
    ]
    agents = table("Agent", "Rights", "Keys", "Since", rows=rows)
    more = Text(f"There are more: add --after {page.next}", "dim", no_wrap=True)
    return Group(agents, "", more) if page.next else agents


def as_page(agent: "Agent", terminal: Terminal) -> RenderableType:
    """An agent, and one line a key."""
    now = datetime.now(UTC)
    rows = [
        (
            key.key_id,
            Text(key.state(now), STYLES[key.state(now)]),
            _when(key.created_at, terminal),
            _when(key.expires_at, terminal),
        )
        for key in agent.keys
    ]
    keys = table("Name", "State", "Since", "Until", rows=rows)
    return Group(Text(f"{agent.agent_id}: {_rights(agent)}"), "", keys)


def _rights(agent: "Agent") -> str:
    if agent.disabled_at:
        return "disabled"
    return "append-only" if agent.append_only else "its own data"


def _keys(agent: "Agent") -> str:
    now = datetime.now(UTC)
    states = [key.state(now) for key in agent.keys]
    known = [f"{states.count(state)} {state}" for state in STYLES if state in states]
    return ", ".join(known) or "none"


def _when(moment: datetime | None, terminal: Terminal) -> str:
    return when(moment, datetime.now(UTC), exact=not terminal.out.is_terminal)
