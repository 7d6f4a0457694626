"""`agentruns audit ...`: who did what, and how long that is known."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.tables import table
from apps.cli.values import (
    AgentIdFilter,
    Days,
    Flag,
    GivenTerminal,
    PageLimit,
    Since,
    TaskIdFilter,
    moment,
)

if TYPE_CHECKING:
    from agentruns.models import Page
    from storage.access import AuditEntry, AuditLog, EntriesOver


def list_entries(  # noqa: PLR0913 - one argument an option
    *,
    agent: AgentIdFilter = None,
    task: TaskIdFilter = None,
    what: str | None = None,
    since: Since = None,
    limit: PageLimit = 100,
    after: str | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """List who did what, and from where, newest first: keys, addresses signed, logs read.

    The database itself keeps this list, and nobody can change it.

    Example: `agentruns audit list --agent browser-1 --what "logs read" --since 7d`

    Args:
        agent: Only what was done to this agent or its data.
        task: Only what was done to the data of this task.
        what: Only what is called like this in the list, such as "address signed".
        since: Only what was done since then: an age such as 2h or 7d, or an ISO time.
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    page = _log().page(
        limit,
        after,
        agent_id=agent,
        task_id=UUID(task) if task else None,
        what=what,
        since=moment(since, datetime.now(UTC)) if since else None,
    )
    entries = [entry.model_dump(mode="json") for entry in page]
    return Answer({"entries": entries, "next": page.next}, as_list(page))


def prune(*, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Remove the entries whose term is over; without --yes, say how many these are.

    The list says itself what was removed, when and by whom. The flow `prune-audit` does this every
    night.

    Example: `agentruns audit prune --yes`

    Args:
        yes: Really remove them; nothing happens without it.
        terminal: Where to print.
    """
    log = _log()
    over = log.over()
    with terminal.working("Removing what is over"):
        removed = log.prune() if yes else 0
    document = over.model_dump(mode="json") | {"removed": removed}
    return Answer(document, _removed(removed, over) if yes else _over(over))


def keep(days: Days, /, *, terminal: GivenTerminal) -> Answer:
    """Say for how many days entries are kept; it takes the owner, by POSTGRES_OWNER_URL.

    Example: `agentruns audit keep 400`

    Args:
        days: For how long.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import keep_for
    from storage.marker import guard_of
    from storage.settings import load_settings

    settings = load_settings()
    keep_for(settings.required("postgres_owner_url"), days, guard_of(settings))
    return Answer({"days": days}, f"Entries of the audit log are kept for {days} days from now on.")


def as_list(page: "Page[AuditEntry]") -> RenderableType:
    """One line an entry, and how to get the next page."""
    if not page.items:
        return "Nothing of the kind was noted."
    rows = [
        (
            entry.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"{entry.who}@{entry.address or 'local'}",
            entry.what,
            entry.agent_id or "",
            _about(entry),
        )
        for entry in page
    ]
    entries = table("When", "Who", "What", "Agent", "About", rows=rows)
    more = Text(f"There are more: add --after {page.next}", "dim", no_wrap=True)
    return Group(entries, "", more) if page.next else entries


def _about(entry: "AuditEntry") -> str:
    """The task or the key; else what was said of it first."""
    told = entry.task_id or entry.details.get("key_id") or next(iter(entry.details.values()), "")
    return str(told)


def _over(over: "EntriesOver") -> str:
    kept = f"Entries are kept for {over.days} days;"
    if not over.entries:
        return f"{kept} none is older."
    return f"{kept} {over.entries} are older: 'agentruns audit prune --yes' removes them."


def _removed(removed: int, over: "EntriesOver") -> str:
    return f"{removed} entries older than {over.days} days were removed."


def _log() -> "AuditLog":
    # Late: the stores bring their drivers.
    from storage.access import AuditLog
    from storage.marker import guard_of
    from storage.settings import load_settings

    settings = load_settings()
    return AuditLog(settings.required("postgres_url"), guard_of(settings))
