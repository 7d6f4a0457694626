"""`agentruns migrate list|show|quarantine|report`: how far migrations are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from cyclopts import Parameter
from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.migration_progress import watch_run
from apps.cli.tables import size_text, table
from apps.cli.values import Flag, GivenTerminal, MigrationId, PageLimit

if TYPE_CHECKING:
    from tasks.migration_report import MigrationResult


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


def show(migration: MigrationId, *, watch: Flag = False, terminal: GivenTerminal) -> Answer:
    """Show how far a migration is and how far behind its source, or watch one at work.

    Example: `agentruns migrate show 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --watch`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        watch: Show its progress while somebody works on it, and how far it is when that ends.
        terminal: Where to print.
    """
    if watch:
        watch_run(terminal, UUID(migration))
    from storage.migration import MigrationStore
    from storage.migration.lag import lag_of
    from storage.stores import shared_stores

    postgres, result = shared_stores().postgres, _result(migration)
    lag = lag_of(postgres, MigrationStore(postgres).get(UUID(migration)))
    document = result.model_dump(mode="json") | {"lag": lag.model_dump(mode="json")}
    return Answer(document, Group(as_text(result), lag.in_words))


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
    from apps.cli.migration_page import as_page
    from storage.migration import MigrationStore
    from storage.stores import shared_stores

    known = MigrationStore(shared_stores().postgres).get(UUID(migration))
    result = _result(migration, 1000)
    to.write_text(as_page(result, known), encoding="utf-8")
    return Answer({"report": str(to), **result.model_dump(mode="json")}, f"Written to {to}.")


def answer(result: "MigrationResult", code: ExitCode) -> Answer:
    """What a migration is told as, and the exit code."""
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


def _result(migration: str, limit: int = 100) -> "MigrationResult":
    from storage.migration import MigrationStore
    from storage.migration.steps import Steps
    from storage.stores import shared_stores
    from tasks.migration_report import MigrationResult

    postgres, key = shared_stores().postgres, UUID(migration)
    store, steps = MigrationStore(postgres), Steps(postgres)
    return MigrationResult.of(
        store.summary(key), store.quarantine(key, limit), store.differences(key), steps.all(key)
    )


def _quarantine(result: "MigrationResult") -> RenderableType:
    if not result.quarantined:
        return "Nothing is in quarantine."
    rows = [(one["item"], one["path"] or "-", one["reason"]) for one in result.quarantined]
    return table("Item", "Part", "Why it was not imported", rows=rows)
