"""`agentruns migrate cutover`: the gate after which the stores are what counts."""

from typing import TYPE_CHECKING, Any

from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.terminal import Terminal
from apps.cli.values import Flag, GivenTerminal, MigrationId, PlainText

if TYPE_CHECKING:
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.migration.cutover import Removed


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
