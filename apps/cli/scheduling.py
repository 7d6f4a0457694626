"""`agentruns migrate schedule`: sources that are kept in step."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import RenderableType

from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import table
from apps.cli.terminal import Terminal
from apps.cli.values import UNITS, AgentIdFilter, Flag, GivenTerminal, PlainText

if TYPE_CHECKING:
    from apps.scheduling import InStep

_WRONG = "Say what is to be kept in step: a SOURCE with --every or --cron, or --list."


def check_every(_: Any, value: str | None) -> None:
    """Refuse what `interval` cannot read."""
    if value is not None:
        interval(value)


def interval(text: str) -> timedelta:
    """How often, as people write it: `15m`, `2h` or `1d`.

    Raises:
        ValueError: when it is none, or less than a minute.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text)
    if not found:
        raise ValueError("Choose a number of minutes, hours, days or weeks: 15m, 2h, 1d, 1w.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


Every = Annotated[str | None, Parameter(validator=check_every)]


def schedule(  # noqa: PLR0913 - one parameter an option
    source: PlainText | None = None,
    *,
    every: Every = None,
    cron: PlainText | None = None,
    agent: AgentIdFilter = None,
    format: PlainText | None = None,  # noqa: A002 - the option's name
    timezone: PlainText | None = None,
    remove: Flag = False,
    list_: Annotated[bool, Parameter(name="--list", show_default=False)] = False,
    terminal: GivenTerminal,
) -> Answer:
    """Keep a folder in step while agents go on writing to it: Prefect migrates what is new.

    The flow runs where a worker runs. Whether that machine sees the folder under this path is
    yours to see to: a folder that it does not see makes its runs fail, which Prefect shows.

    Example: `agentruns migrate schedule /srv/trajectories --every 15m --agent browser-1`

    Args:
        source: The folder, as the worker's machine names it.
        every: How often: 15m, 2h, 1d.
        cron: Or when, as a line of cron in UTC: '*/15 6-20 * * *'.
        agent: Whose records its runs become; AGENT_ID by default.
        format: Only runs in this format; everything else is archived.
        timezone: Of times that were written down without one, such as Europe/Berlin.
        remove: Keep it in step no longer; what was imported stays.
        list_: Show what is kept in step.
        terminal: Where to print.
    """
    if list_:
        return _listed(terminal)
    if source is None:
        raise CommandError(ExitCode.WRONG_USAGE, _WRONG)
    folder = _place(source)
    if remove:
        return _removed(terminal, folder, agent)
    if (agent := agent or os.environ.get("AGENT_ID")) is None:
        raise CommandError(ExitCode.WRONG_USAGE, "Say whose records they become, with --agent.")
    if (every is None) == (cron is None):
        raise CommandError(ExitCode.WRONG_USAGE, "Say when, with either --every or --cron.")
    told = {name: value for name, value in (("format", format), ("timezone", timezone)) if value}
    return _kept(terminal, folder, agent, interval(every) if every else str(cron), told)


def _place(source: str) -> str:
    """The source by the name that a migration finds it by; a folder may be another machine's."""
    if "://" not in source:
        return str(Path(source).expanduser().resolve())
    # Late: it brings the drivers of the stores.
    from storage.migration.prefix_place import address_of

    return address_of(source).name


def _kept(
    terminal: Terminal, folder: str, agent: str, when: timedelta | str, told: dict[str, Any]
) -> Answer:
    with terminal.working("Telling Prefect"), prefect_server(terminal):
        from apps.scheduling import keep_in_step
        from storage.arguments import checked_timezone

        if "timezone" in told:
            checked_timezone(told["timezone"])
        kept = keep_in_step(folder, agent, when, told)
    said = (
        f"{folder} is kept in step, {_when(kept)}, by a worker that has to see it under this "
        f"path.\nSee 'agentruns migrate show {kept.migration_id}'."
    )
    return Answer(kept.model_dump(mode="json"), said)


def _listed(terminal: Terminal) -> Answer:
    with prefect_server(terminal):
        from apps.scheduling import kept_in_step

        found = kept_in_step()
    return Answer({"schedules": [one.model_dump(mode="json") for one in found]}, _table(found))


def _removed(terminal: Terminal, folder: str, agent: str | None) -> Answer:
    with prefect_server(terminal):
        from apps.scheduling import leave

        found = leave(folder, agent)
    if not found:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"{folder} is not kept in step; 'agentruns migrate schedule --list' shows what is.",
        )
    removed = [one.deployment for one in found]
    return Answer({"removed": removed}, f"{folder} is not kept in step any more.")


def _table(found: "list[InStep]") -> RenderableType:
    if not found:
        return "Nothing is kept in step; 'agentruns migrate schedule SOURCE --every 15m' does."
    rows = [(one.source, one.agent_id, _when(one), str(one.migration_id)) for one in found]
    return table("Source", "Agent", "When", "Migration", rows=rows)


def _when(kept: "InStep") -> str:
    if kept.cron:
        return f"at '{kept.cron}' UTC"
    return f"every {timedelta(seconds=kept.every_seconds or 0)}"
