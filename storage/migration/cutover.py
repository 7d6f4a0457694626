"""The gate at the end of a migration, and the source's way into the trash."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from agentruns.models import utcnow
from storage.errors import RecordRejected
from storage.migration.models import ManifestFile
from storage.migration.places import place_of
from storage.migration.store import MigrationStore


class CutOver(NamedTuple):
    """Whether the gate opened, and if not, why."""

    reasons: list[str]
    manifest_sha256: str | None


class Removed(NamedTuple):
    """What became of the source."""

    trash: str
    """Where its files are now, beside the source; deleting them is a person's choice."""
    moved: int
    kept: list[str]
    """Files that are not those of the manifest any more, or never were in it: they stay."""


def cut_over(
    store: MigrationStore, migration_id: UUID, by: str, accepted: Sequence[str]
) -> CutOver:
    """Sign a migration off when nothing speaks against it, after a fresh look at the source.

    Raises:
        RecordRejected: when an accepted name is none of an item in quarantine.
    """
    migration = store.get(migration_id)
    with store.only_run(migration_id):
        store.take_inventory(migration)
        _accept(store, migration_id, by, accepted)
        reasons = store.obstacles(migration_id).reasons()
        if reasons:
            return CutOver(reasons, None)
        digest = manifest_digest(store.manifest(migration_id))
        store.audit_cutover(migration, by=by, manifest_sha256=digest)
        store.note_cutover(migration_id, by, digest)
        return CutOver([], digest)


def manifest_digest(files: Iterable[ManifestFile]) -> str:
    """One hash of all paths, sizes and hashes, in the order of the paths' bytes."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"%b\0%d\0%b\n" % (file.path, file.size_bytes, (file.sha256 or "").encode()))
    return digest.hexdigest()


def remove_source(store: MigrationStore, migration_id: UUID) -> Removed:
    """Move every file that is still the one of the manifest into the trash beside the source.

    It may be killed at any point and be called again. What the manifest does not know stays.

    Raises:
        RecordRejected: when the migration was not cut over, or has other files since.
    """
    migration = store.get(migration_id)
    if migration.cutover_at is None:
        raise RecordRejected("The migration was not cut over: 'agentruns migrate cutover' first.")
    place = place_of(migration.source)
    trash = place.trash((migration.cutover_at or utcnow()).strftime("%Y%m%dT%H%M%SZ"))
    with store.only_run(migration_id):
        if manifest_digest(store.manifest(migration_id)) != migration.manifest_sha256:
            raise RecordRejected(
                "The manifest is not the one that was signed off: cut over again, then remove."
            )
        store.audit_cutover(migration, moved_to=trash[:1000])
        moved = place.move(store.manifest(migration_id), trash)
    return Removed(trash, moved, list(place.left()))


def _accept(store: MigrationStore, migration_id: UUID, by: str, accepted: Sequence[str]) -> None:
    paths = [b"" if name == "." else os.fsencode(name) for name in accepted]
    if store.accept(migration_id, paths, by) < len(set(paths)):
        raise RecordRejected(
            "One of the names with --accept is no item in quarantine; "
            "'agentruns migrate quarantine' lists them."
        )
