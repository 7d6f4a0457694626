"""`agentruns migrate ...`: folders of old runs into the stores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import size_text, table
from apps.cli.terminal import Terminal
from apps.cli.values import (
    AgentIdOption,
    Flag,
    GivenTerminal,
    MigrationId,
    PageLimit,
    PlainText,
    TaskId,
)

if TYPE_CHECKING:
    from uuid import UUID

    from flows.migrate_trajectories import Step
    from storage.migration import MigrationStore
    from storage.migration.cutover import Removed
    from tasks.migration_report import MigrationResult

Source = Annotated[Path, Parameter(help="The folder that holds the old runs.")]


def inventory(
    source: Source,
    *,
    agent: AgentIdOption,
    format: PlainText | None = None,  # noqa: A002 - the option's name
    timezone: PlainText | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """List what lies in a folder and what would become of it; nothing is imported.

    Example: `agentruns migrate inventory old-runs --agent browser-1`

    Args:
        source: The folder that holds the old runs.
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
    terminal: GivenTerminal,
) -> Answer:
    """List a folder, import what is new or changed in it, and verify everything.

    It may be stopped at any point; the same command goes on where it stood.

    Example: `agentruns migrate run old-runs --agent browser-1 --timezone Europe/Berlin`

    Args:
        source: The folder that holds the old runs.
        agent: Whose records they become.
        format: Only runs in this format; everything else is archived.
        timezone: Of times that were written down without one, such as Europe/Berlin; UTC, or what
            you said before, when left out.
        deep: Verify by reading every object back.
        retry_quarantined: Try again what could not be imported before.
        terminal: Where to print.
    """
    steps: tuple[Step, ...] = ("inventory", "copy", "verify")
    told = {"format": format, "timezone": timezone, "deep": deep}
    return _run(terminal, source, agent, steps, retry_quarantined=retry_quarantined, **told)


def copy(
    migration: MigrationId, *, retry_quarantined: Flag = False, terminal: GivenTerminal
) -> Answer:
    """Import what the inventory found and is not imported yet.

    Example: `agentruns migrate copy 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        retry_quarantined: Try again what could not be imported before.
        terminal: Where to print.
    """
    known = _known(migration)
    return _run(terminal, *known, ("copy",), retry_quarantined=retry_quarantined)


def verify(migration: MigrationId, *, deep: Flag = False, terminal: GivenTerminal) -> Answer:
    """Compare the source with rows, log entries and objects; tell every difference.

    Example: `agentruns migrate verify 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --deep`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        deep: Read every object back and compare its SHA-256.
        terminal: Where to print.
    """
    return _run(terminal, *_known(migration), ("verify",), deep=deep)


def cutover(
    migration: MigrationId,
    *,
    accept: list[PlainText] | None = None,
    remove_source: Flag = False,
    yes: Flag = False,
    terminal: GivenTerminal,
) -> Answer:
    """Sign a migration off, if nothing speaks against it; removing the source is your choice.

    It refuses, with reasons, unless a fresh look at the source finds nothing new, everything is
    verified byte by byte, and nothing is in quarantine that you did not accept by name.

    Example: `agentruns migrate cutover 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        accept: An item in quarantine that may stay as it is; may be repeated.
        remove_source: Then move the source's files into a trash folder beside it, each only if its
            SHA-256 is still that of the manifest.
        yes: Do not ask before the source is moved.
        terminal: Where to print.
    """
    from getpass import getuser
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.migration.cutover import CutOver, cut_over
    from storage.stores import shared_stores

    store, key = MigrationStore(shared_stores().postgres), UUID(migration)
    known = store.get(key)
    if remove_source and known.cutover_at:
        # Signed off before: a removal that was cut off goes on.
        done = CutOver([], known.manifest_sha256)
    else:
        with terminal.working("Looking at the source once more"):
            done = cut_over(store, key, getuser(), accept or [])
    document: dict[str, Any] = {"migration_id": migration, "cutover": not done.reasons}
    document |= {"reasons": done.reasons, "manifest_sha256": done.manifest_sha256}
    if done.reasons:
        return Answer(document, "\n".join(["Refused:", *done.reasons]), ExitCode.NOT_GOOD)
    said = f"Signed off. The manifest's SHA-256 is {done.manifest_sha256}."
    if not remove_source:
        return Answer(document, said)
    removed = _removed(store, key, terminal, yes=yes)
    moved = f"{removed.moved} files moved to {removed.trash}; {len(removed.kept)} stay."
    return Answer(document | {"removed": removed._asdict()}, f"{said}\n{moved}")


def _removed(store: "MigrationStore", key: "UUID", terminal: Terminal, *, yes: bool) -> "Removed":
    from storage.migration.cutover import remove_source

    source = store.get(key).source
    if not yes and not terminal.confirms(
        f"Type the source's path to move its files: {source}\n", source
    ):
        raise CommandError(ExitCode.WRONG_USAGE, "The source stays: the path was not confirmed.")
    with terminal.working("Moving the source's files"):
        return remove_source(store, key)


def rebuild(
    task_id: TaskId, *, to: Annotated[Path, Parameter(name="--to")], terminal: GivenTerminal
) -> Answer:
    """Write the original folder of an imported task anew, byte for byte where nothing was secret.

    Example: `agentruns migrate rebuild 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11 --to old-run`

    Args:
        task_id: The task, as 'agentruns tasks list' prints it.
        to: A folder that does not exist yet, or is empty.
        terminal: Where to print.
    """
    from uuid import UUID

    from storage.migration.rebuilding import Rebuilding
    from storage.stores import shared_stores

    stores = shared_stores()
    with terminal.working("Rebuilding"):
        done = Rebuilding(stores.postgres, stores.minio).rebuild(UUID(task_id), to)
    said = f"{done.files} files in {done.folder}, {done.equal} of them byte for byte as they were."
    rows = [(one["path"], ", ".join(one["at"][:5])) for one in done.redacted]
    text: RenderableType = said
    if rows:
        text = Group(said, "", table("Name", "Without its secrets at", rows=rows))
    return Answer(done._asdict(), text)


def show(migration: MigrationId, *, terminal: GivenTerminal) -> Answer:
    """Show how far a migration is.

    Example: `agentruns migrate show 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        terminal: Where to print.
    """
    return _answer(_result(migration), ExitCode.GOOD)


def report(
    migration: MigrationId, *, to: Annotated[Path, Parameter(name="--to")], terminal: GivenTerminal
) -> Answer:
    """Write a page that anybody can read: what was found, imported, quarantined and verified.

    Example: `agentruns migrate report 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --to migration.html`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        to: The file to write, over an older one if need be.
        terminal: Where to print.
    """
    from uuid import UUID

    from apps.cli.migration_page import as_page
    from storage.migration import MigrationStore
    from storage.stores import shared_stores

    known = MigrationStore(shared_stores().postgres).get(UUID(migration))
    result = _result(migration, 1000)
    to.write_text(as_page(result, known), encoding="utf-8")
    return Answer({"report": str(to), **result.model_dump(mode="json")}, f"Written to {to}.")


def quarantine(
    migration: MigrationId, *, limit: PageLimit = 100, terminal: GivenTerminal
) -> Answer:
    """List what could not be imported, and why.

    Example: `agentruns migrate quarantine 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        limit: At most so many entries.
        terminal: Where to print.
    """
    result = _result(migration, limit)
    return Answer({"quarantined": result.quarantined}, _quarantine(result))


def list_migrations(
    *, limit: PageLimit = 100, after: str | None = None, terminal: GivenTerminal
) -> Answer:
    """List the migrations, newest first.

    Example: `agentruns migrate list`

    Args:
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.migration import MigrationStore
    from storage.stores import shared_stores

    page = MigrationStore(shared_stores().postgres).page(limit, after)
    told = [
        {
            "migration_id": str(one.id),
            "source": one.source,
            "agent_id": one.agent_id,
            "created_at": one.created_at.isoformat(),
            "verified_at": one.verified_at and one.verified_at.isoformat(),
        }
        for one in page
    ]
    rows = [(str(one.id), one.agent_id, one.source) for one in page]
    text: RenderableType = table("Migration", "Agent", "Source", rows=rows)
    if not rows:
        text = "No folder was migrated yet; 'agentruns migrate run FOLDER --agent ID' does."
    return Answer({"migrations": told, "next": page.next}, text)


def _run(
    terminal: Terminal, source: Path | str, agent: str, steps: "tuple[Step, ...]", **options: Any
) -> Answer:
    with terminal.working("Migrating"), prefect_server(terminal):
        from flows.migrate_trajectories import migrate_trajectories

        folder = str(Path(source).expanduser().absolute())
        result: MigrationResult = migrate_trajectories(folder, agent, steps=steps, **options)
    good = result.is_good or steps == ("inventory",)
    return _answer(result, ExitCode.GOOD if good else ExitCode.NOT_GOOD)


def _known(migration: str) -> tuple[str, str]:
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.stores import shared_stores

    known = MigrationStore(shared_stores().postgres).get(UUID(migration))
    return known.source, known.agent_id


def _result(migration: str, limit: int = 100) -> "MigrationResult":
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.stores import shared_stores
    from tasks.migration_report import MigrationResult

    store, key = MigrationStore(shared_stores().postgres), UUID(migration)
    return MigrationResult.of(
        store.summary(key), store.quarantine(key, limit), store.differences(key)
    )


def _answer(result: "MigrationResult", code: ExitCode) -> Answer:
    return Answer(result.model_dump(mode="json"), as_text(result), code)


def as_text(result: "MigrationResult") -> RenderableType:
    """What was found and what became of it."""
    items, files = result.items, result.files
    counts = (
        f"{items['imported']} of {items['total']} items imported, {items['archived']} archived, "
        f"{items['quarantined']} quarantined, {items['pending']} waiting; "
        f"{items['verified']} verified, {items['deeply_verified']} byte by byte."
    )
    told = f"{sum(files.values())} files, {size_text(result.bytes)}, {files['ignored']} ignored."
    formats = [(name, str(count)) for name, count in result.formats.items()]
    parts: list[RenderableType] = [table("Format", "Items", rows=formats), "", counts, told]
    if result.quarantined:
        parts += ["", _quarantine(result)]
    if result.differences:
        rows = [(one["path"], one["difference"]) for one in result.differences]
        parts += ["", table("Where", "What differs", rows=rows)]
    return Group(*parts, "", f"See 'agentruns migrate show {result.migration_id}'.")


def _quarantine(result: "MigrationResult") -> RenderableType:
    if not result.quarantined:
        return "Nothing is in quarantine."
    rows = [(one["item"], one["path"] or "-", one["reason"]) for one in result.quarantined]
    return table("Item", "Part", "Why it was not imported", rows=rows)
