"""`agentruns migrate run|inventory|copy|verify`: folders of old runs into the stores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.migration_progress import moving
from apps.cli.migration_state import answer
from apps.cli.prefect_server import prefect_server
from apps.cli.terminal import Terminal
from apps.cli.values import (
    AgentIdOption,
    FanOut,
    Flag,
    GivenTerminal,
    MbPerSecond,
    MigrationId,
    PlainText,
    Workers,
)

if TYPE_CHECKING:
    from flows.migrate_trajectories import Step
    from tasks.migration_report import MigrationResult

Source = Annotated[
    str, Parameter(help="The folder, or s3://bucket/prefix, that holds the old runs.")
]


def inventory(
    source: Source,
    *,
    agent: AgentIdOption,
    format: PlainText | None = None,  # noqa: A002 - the option's name
    timezone: PlainText | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """List what lies in a folder or bucket and what would become of it; nothing is imported.

    Example: `agentruns migrate inventory old-runs --agent browser-1`

    Args:
        source: The folder, or s3://bucket/prefix, that holds the old runs.
        agent: Whose records they become.
        format: Only runs in this format; everything else is archived.
        timezone: Of times that were written down without one, such as Europe/Berlin; UTC, or what
            you said before, when left out.
        terminal: Where to print.
    """
    return _run(terminal, source, agent, ("inventory",), format=format, timezone=timezone)


def run(  # noqa: PLR0913 - one parameter an option
    source: Source,
    *,
    agent: AgentIdOption,
    format: PlainText | None = None,  # noqa: A002 - the option's name
    timezone: PlainText | None = None,
    deep: Flag = False,
    retry_quarantined: Flag = False,
    workers: Workers = None,
    max_mb_per_s: MbPerSecond = None,
    fan_out: FanOut = None,
    terminal: GivenTerminal,
) -> Answer:
    """List a folder, import what is new or changed in it, and verify everything.

    It may be stopped at any point; the same command goes on where it stood.

    Example: `agentruns migrate run old-runs --agent browser-1 --timezone Europe/Berlin`

    Args:
        source: The folder, or s3://bucket/prefix, that holds the old runs.
        agent: Whose records they become.
        format: Only runs in this format; everything else is archived.
        timezone: Of times that were written down without one, such as Europe/Berlin; UTC, or what
            you said before, when left out.
        deep: Read every object back that was not read back since it was copied; `migrate verify
            --deep` reads all of them.
        retry_quarantined: Try again what could not be imported before.
        workers: As many batches are done at a time, by each process; 2 when left out.
        max_mb_per_s: As many megabytes a second go to the object store and back, by each process.
        fan_out: As many more processes help to copy, on Prefect's workers that see the source.
        terminal: Where to print.
    """
    steps: tuple[Step, ...] = ("inventory", "copy", "verify")
    told = {"format": format, "timezone": timezone, "deep": deep}
    told |= _means(workers=workers, max_mb_per_s=max_mb_per_s, fan_out=fan_out)
    return _run(terminal, source, agent, steps, retry_quarantined=retry_quarantined, **told)


def copy(  # noqa: PLR0913 - one parameter an option
    migration: MigrationId,
    *,
    retry_quarantined: Flag = False,
    workers: Workers = None,
    max_mb_per_s: MbPerSecond = None,
    fan_out: FanOut = None,
    terminal: GivenTerminal,
) -> Answer:
    """Import what the inventory found and is not imported yet.

    Example: `agentruns migrate copy 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --fan-out 3`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        retry_quarantined: Try again what could not be imported before.
        workers: As many batches are done at a time, by each process; 2 when left out.
        max_mb_per_s: As many megabytes a second go to the object store and back, by each process.
        fan_out: As many more processes help to copy, on Prefect's workers that see the source.
        terminal: Where to print.
    """
    means = _means(workers=workers, max_mb_per_s=max_mb_per_s, fan_out=fan_out)
    told = {"retry_quarantined": retry_quarantined, **means}
    return _run(terminal, *_known(migration), ("copy",), **told)


def verify(
    migration: MigrationId,
    *,
    deep: Flag = False,
    workers: Workers = None,
    max_mb_per_s: MbPerSecond = None,
    terminal: GivenTerminal,
) -> Answer:
    """Compare the source with rows, log entries and objects; tell every difference.

    Example: `agentruns migrate verify 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --deep`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        deep: Read every object back and compare its SHA-256.
        workers: As many batches are done at a time; 2 when left out.
        max_mb_per_s: As many megabytes a second go to the object store and back, all together.
        terminal: Where to print.
    """
    told = {"deep": deep, **_means(workers=workers, max_mb_per_s=max_mb_per_s)}
    return _run(terminal, *_known(migration), ("verify",), **told)


def _run(
    terminal: Terminal, source: str, agent: str, steps: "tuple[Step, ...]", **options: Any
) -> Answer:
    # A worker elsewhere knows nothing of our working folder; a bucket is the same everywhere.
    is_bucket = source.startswith("s3://")
    place = source if is_bucket else str(Path(source).expanduser().absolute())
    with moving(terminal, place, agent), prefect_server(terminal):
        from flows.migrate_trajectories import migrate_trajectories

        result: MigrationResult = migrate_trajectories(place, agent, steps=steps, **options)
    good = result.is_good or steps == ("inventory",)
    return answer(result, ExitCode.GOOD if good else ExitCode.NOT_GOOD)


def _means(**told: float | None) -> dict[str, Any]:
    # What is not said is the flow's to decide.
    return {name: value for name, value in told.items() if value is not None}


def _known(migration: str) -> tuple[str, str]:
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.stores import shared_stores

    known = MigrationStore(shared_stores().postgres).get(UUID(migration))
    return known.source, known.agent_id
