"""`agentruns migrate manifest`: what a cutover signs off, as a file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from apps.cli.answer import Answer
from apps.cli.values import GivenTerminal, MigrationId


def manifest(
    migration: MigrationId, *, to: Annotated[Path, Parameter(name="--to")], terminal: GivenTerminal
) -> Answer:
    """Write every path that was found with its size, SHA-256 and decision, one JSON object a line.

    Example: `agentruns migrate manifest 3f0d2c7e-54a1-5c43-9a3e-0d6c9f7b1e22 --to manifest.jsonl`

    Args:
        migration: Which, as 'agentruns migrate list' prints it.
        to: The file to write, over an older one if need be.
        terminal: Where to print.
    """
    from uuid import UUID

    from storage.migration import MigrationStore
    from storage.migration.manifest import write_manifest
    from storage.stores import shared_stores

    store, key = MigrationStore(shared_stores().postgres), UUID(migration)
    known = store.get(key)
    with terminal.working("Writing the manifest"):
        done = write_manifest(store.manifest(key), to)
    signed = known.manifest_sha256
    told = {"manifest": str(to), "files": done.files, "manifest_sha256": done.sha256}
    verdict = "It is not signed off." if signed is None else "It is the one that was signed off."
    if signed not in {None, done.sha256}:
        verdict = "It is not the one that was signed off: the source was listed anew since."
    text = f"{done.files} files in {to}; the manifest's SHA-256 is {done.sha256}. {verdict}"
    return Answer({**told, "signed_off": signed == done.sha256}, text)
