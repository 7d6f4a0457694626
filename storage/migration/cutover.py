"""The gate at the end of a migration, and the source's way into the trash."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from agentruns.cleaning import printable
from agentruns.models import utcnow
from agentruns.trajectories.files import Unreadable, fingerprint
from storage.errors import RecordRejected
from storage.migration.models import ManifestFile, Migration
from storage.migration.store import MigrationStore


class CutOver(NamedTuple):
    """Whether the gate opened, and if not, why."""

    reasons: list[str]
    manifest_sha256: str | None


class Removed(NamedTuple):
    """What became of the source."""

    trash: str
    """The folder beside the source that holds its files now; deleting it is a person's choice."""
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
    """Move every file that is still the one of the manifest into a trash folder beside the source.

    It may be killed at any point and be called again. What the manifest does not know stays.

    Raises:
        RecordRejected: when the migration was not cut over, or has other files since.
    """
    migration = store.get(migration_id)
    if migration.cutover_at is None:
        raise RecordRejected("The migration was not cut over: 'agentruns migrate cutover' first.")
    source, trash = Path(migration.source), _trash_of(migration)
    with store.only_run(migration_id):
        if manifest_digest(store.manifest(migration_id)) != migration.manifest_sha256:
            raise RecordRejected(
                "The manifest is not the one that was signed off: cut over again, then remove."
            )
        store.audit_cutover(migration, moved_to=str(trash)[:1000])
        moved = 0
        for name in _movable(source, store.manifest(migration_id)):
            _move(source, trash, name)
            moved += 1
    _remove_empty_folders(source)
    return Removed(str(trash), moved, list(_left(source)))


def _accept(store: MigrationStore, migration_id: UUID, by: str, accepted: Sequence[str]) -> None:
    paths = [b"" if name == "." else os.fsencode(name) for name in accepted]
    if store.accept(migration_id, paths, by) < len(set(paths)):
        raise RecordRejected(
            "One of the names with --accept is no item in quarantine; "
            "'agentruns migrate quarantine' lists them."
        )


def _trash_of(migration: Migration) -> Path:
    source = Path(migration.source)
    day = (migration.cutover_at or utcnow()).strftime("%Y%m%dT%H%M%SZ")
    return source.with_name(f"{source.name}.migrated-{day}")


def _movable(source: Path, manifest: Iterable[ManifestFile]) -> Iterator[str]:
    for file in manifest:
        name = os.fsdecode(file.path)
        # Gone, or no regular file any more: then it is not what the manifest means.
        with suppress(Unreadable):
            if file.sha256 and fingerprint(source, name).sha256 == file.sha256:
                yield name


def _move(source: Path, trash: Path, name: str) -> None:
    target = trash / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (source / name).rename(target)


def _remove_empty_folders(source: Path) -> None:
    for folder, _, _ in os.walk(source, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()


def _left(source: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(source):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted(files + links):
            yield printable(str(Path(folder, name).relative_to(source)))
