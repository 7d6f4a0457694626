"""`agentruns spool ...`: look into a spool, and take up again what a store refused."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.tables import size_text, table
from apps.cli.values import GivenTerminal, PageLimit, PlainText

if TYPE_CHECKING:
    from agentruns.spool import Rejected, Retried, Spool, SpoolStatus

#: Refused events that `status` names; `rejected` gives the others.
SOME = 100


def show_status(*, spool: Path | None = None) -> Answer:
    """Show what waits in a spool, what was refused, and whether a delivery is at work.

    Example: `agentruns spool status`

    Args:
        spool: The folder of the spool; AGENTRUNS_SPOOL or the home of agentruns by default.
    """
    # Late: pydantic comes with it.
    from agentruns.spool import spool_status
    from agentruns.spool.damage import reports

    found = known_spool(spool)
    status = spool_status(found)
    with found.ledger() as ledger:
        refused = ledger.rejected(SOME)
    document = {
        "events": status.events,
        "bytes": status.bytes,
        "oldest": status.oldest and status.oldest.isoformat(),
        "rejected": [_refusal(one) for one in refused],
        "delivering": status.delivering,
        "damaged": reports(found.folder),
        "foreign": status.foreign,
    }
    return Answer(document, _as_status(status, at(found)))


def list_rejected(
    *,
    limit: PageLimit = 100,
    after: PlainText | None = None,
    export: Path | None = None,
    spool: Path | None = None,
) -> Answer:
    """List the events that a store refused for good, and why.

    Example: `agentruns spool rejected --export refused`

    Args:
        limit: At most so many.
        after: Go on after this event, the last of the page before.
        export: Write each of them into this folder: a JSON file, and its object beside it.
        spool: The folder of the spool; AGENTRUNS_SPOOL or the home of agentruns by default.
    """
    from apps.cli.exporting import export_rejected

    found = known_spool(spool)
    with found.ledger() as ledger:
        page = ledger.rejected(limit + 1, after)
    shown, following = page[:limit], page[limit - 1].id if len(page) > limit else None
    if export is not None:
        export_rejected(found, shown, export)
    document = {"rejected": [_refusal(one) for one in shown], "next": following}
    return Answer(document, _as_list(shown, following, at(found)))


def retry(*ids: PlainText, spool: Path | None = None, terminal: GivenTerminal) -> Answer:
    """Have refused events delivered again, all of them or those that are named.

    Example: `agentruns spool retry`

    Args:
        ids: Events as 'agentruns spool rejected' lists them; without one, all.
        spool: The folder of the spool; AGENTRUNS_SPOOL or the home of agentruns by default.
        terminal: Where to print.
    """
    from agentruns.spool import retry_rejected

    found = known_spool(spool)
    _refuse_unknown(found, ids)
    with terminal.working("Taking up what was refused"):
        retried = retry_rejected(found, ids or None)
    document = {
        "retried": retried.number,
        "unfit": [unfit._asdict() for unfit in retried.unfit],
        "delivering": found.delivering(),
    }
    code = ExitCode.NOT_GOOD if retried.unfit else ExitCode.GOOD
    return Answer(document, _as_retried(retried, found), code)


def known_spool(folder: Path | None) -> "Spool":
    """The spool in this folder, by default that of this machine.

    Raises:
        CommandError: when there is none: looking makes no spool.
    """
    from agentruns.spool import Spool

    spool = Spool(folder)
    if not spool.is_there():
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"There is no spool at {spool.folder}: a recorder makes it with its first event; "
            "name another with --spool.",
        )
    return spool.prepare()


def at(spool: "Spool") -> str:
    """What to add to a command so that it is about this spool; nothing for the default one."""
    from agentruns.spool import default_spool

    is_default = spool.folder == default_spool()
    return "" if is_default else f" --spool {shlex.quote(str(spool.folder))}"


def _refuse_unknown(spool: "Spool", ids: Sequence[str]) -> None:
    with spool.ledger() as ledger:
        known = {one.id for one in ledger.find_rejected(ids)}
    if unknown := [one for one in ids if one not in known]:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"{unknown[0]} is none of the refused events; 'agentruns spool rejected{at(spool)}' "
            "lists them.",
        )


def _refusal(one: "Rejected") -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "agent_id": one.agent_id,
        "task_id": one.task_id,
        "reason": one.reason,
        "rejected_at": one.rejected_at,
    }


def _as_status(status: "SpoolStatus", place: str) -> RenderableType:
    from agentruns.spool.layout import DAMAGED

    facts = {
        "Spool": str(status.folder),
        "Waiting": _waiting(status),
        "Size": size_text(status.bytes),
        "Delivery": "at work" if status.delivering else f"none; run 'agentruns deliver{place}'",
        "Refused": _with_hint(status.rejected, f"see 'agentruns spool rejected{place}'"),
        "Damaged": _with_hint(status.damaged, f"see {status.folder / DAMAGED}"),
        "Not ours": ", ".join(status.foreign) or "nothing",
    }
    return table("", "What is there", rows=facts.items())


def _waiting(status: "SpoolStatus") -> str:
    since = f", the first since {status.oldest:%Y-%m-%dT%H:%M:%SZ}" if status.oldest else ""
    return f"{status.events} events{since}"


def _with_hint(number: int, hint: str) -> str:
    return f"{number}; {hint}" if number else "nothing"


def _as_list(shown: Sequence["Rejected"], following: str | None, place: str) -> RenderableType:
    if not shown:
        return "No event was refused."
    rows = [(one.id, one.kind, one.agent_id or "-", one.reason) for one in shown]
    more = f"There are more: add --after {following}" if following else ""
    hint = f"Once the reason is gone, 'agentruns spool retry{place}' has them delivered again."
    refused = table("Event", "Kind", "Agent", "Why", rows=rows)
    return Group(refused, "", *([Text(more)] if more else []), Text(hint))


def _as_retried(retried: "Retried", spool: "Spool") -> Text:
    lines = [f"Events that wait for their delivery again: {retried.number}."]
    lines += [f"{unfit.id} stays refused: {unfit.reason}." for unfit in retried.unfit]
    if spool.delivering():
        lines.append("A delivery is at work and takes them along.")
    elif retried.number:
        lines.append(f"Nobody delivers them yet: run 'agentruns deliver --once{at(spool)}'.")
    return Text("\n".join(lines))
