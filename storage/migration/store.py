"""The state of migrations in PostgreSQL, which is the truth of what is done."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from sys import intern
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from agentruns.models import Page, imported_id
from storage.acts import Act
from storage.errors import MigrationRunning, RecordNotFound
from storage.migration.deleted import DeletedRuns
from storage.migration.inventory import take_inventory
from storage.migration.models import (
    START,
    Difference,
    DifferenceEntry,
    Found,
    Item,
    ItemFile,
    ItemKey,
    ManifestFile,
    Migration,
    Obstacles,
    QuarantineEntry,
    Summary,
)
from storage.migration.noting import note, note_differences
from storage.migration.outcome import Outcome
from storage.migration.places import place_of
from storage.migration.steps import Counting, Steps, count_copied
from storage.paging import Position, checked_limit
from storage.postgres import PostgresAdapter
from storage.postgres.holding import holding
from storage.postgres.listing import window
from storage.postgres.queries import query
from storage.retries import retried

#: Listing a million files and comparing them with a million rows takes a while.
INVENTORY_SECONDS = 4 * 3600.0
_MANIFEST_PAGE = 10_000
_STATUSES = ("pending", "imported", "archived", "quarantined", "deleted")
_FILE_STATUSES = ("listed", "imported", "archived", "quarantined", "ignored", "deleted")


class MigrationStore:
    """Keeps what was found below sources, and what became of it."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @retried
    def open(
        self,
        source: Path | str,
        agent_id: str,
        timezone: str | None = None,
        *,
        only_format: str | None = None,
        listing: bool = True,
    ) -> Migration:
        """The migration of this source for this agent, which goes on where it stood.

        Args:
            source: The name of its place.
            agent_id: Whose records its runs become.
            timezone: Of times that were written down without one; as before when not said.
            only_format: The one format whose runs are imported, said anew with each listing.
            listing: Whether the source is listed next.
        """
        told: dict[str, Any] = {"source": str(source), "agent_id": agent_id}
        told |= {"timezone": timezone}
        told |= {"only_format": only_format, "listing": listing}
        made = migration_id_of(source, agent_id)
        return self._one("open_migration", {"id": made, **told})

    @retried
    def get(self, migration_id: UUID) -> Migration:
        """One migration.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        return self._one("migration", {"id": migration_id})

    @retried
    def page(self, limit: int = 100, after: str | None = None) -> Page[Migration]:
        """Migrations, newest first."""
        given = window(checked_limit(limit), after)
        found = self._all("migrations_page", Migration, given)
        if len(found) <= limit:
            return Page(tuple(found))
        last = found[limit - 1]
        return Page(tuple(found[:limit]), Position(last.created_at, last.id).cursor())

    @contextmanager
    def only_run(self, migration_id: UUID) -> Iterator[None]:
        """Be the only one at work on a migration while this lasts; a kill ends it, too.

        Raises:
            MigrationRunning: when somebody else is.
        """
        refusal = MigrationRunning(
            "Another run of this migration is at work and does what is to be done; "
            f"watch it with 'agentruns migrate show {migration_id}'."
        )
        with holding(self._postgres, "hold_migration", refusal, id=migration_id):
            yield

    def take_inventory(self, migration: Migration) -> None:
        """List the source anew; what is new or changed is to be copied."""
        steps = Steps(self._postgres)
        steps.begin(migration.id, "inventory")
        # Told on another connection, as nobody sees this transaction before it ends.
        counting = Counting(partial(steps.count, migration.id, "inventory"))
        with self._postgres.connection(INVENTORY_SECONDS) as connection:
            place = place_of(migration.source)
            take_inventory(connection, migration.id, place, migration.only_format, counting)
        steps.end(migration.id, "inventory")

    @retried
    def items_to_copy(
        self, migration_id: UUID, after: ItemKey, rows: int
    ) -> Sequence[tuple[ItemKey, int, int]]:
        """The next items that are to be copied, each with its files and bytes."""
        place = {"after_path": after.path, "after_id": after.id, "rows": rows}
        with self._postgres.connection() as connection:
            found = connection.execute(
                query("items_to_copy"), {"migration_id": migration_id, **place}
            ).fetchall()
        return [(ItemKey(path, id_), files, size) for id_, path, _, files, size in found]

    @retried
    def items(self, ids: Sequence[UUID]) -> Sequence[Item]:
        """These items, in order."""
        return self._all("items_by_id", Item, {"ids": list(ids)})

    @retried
    def files_of(self, ids: Sequence[UUID]) -> dict[UUID, list[ItemFile]]:
        """The files of some items, in order."""
        files: dict[UUID, list[ItemFile]] = {id_: [] for id_ in ids}
        known = {id_: id_ for id_ in ids}
        with self._postgres.connection() as connection:
            found = connection.execute(query("files_of_items"), {"ids": list(ids)})
            for item_id, path, size, modified, status, sha256 in found:
                # One status for all of them: an item may have more files than fit otherwise.
                file = ItemFile(known[item_id], path, size, modified, intern(status), sha256)
                files[item_id].append(file)
        return files

    @retried
    def note_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of some items, in one transaction."""
        with self._postgres.connection() as connection:
            note(connection, outcomes)
            count_copied(connection, outcomes)

    def deleted_runs(self, migration: Migration) -> DeletedRuns:
        """What tells the deleted runs of a migration's agent from others."""
        return DeletedRuns(self._postgres, migration)

    @retried
    def items_to_verify(
        self,
        migration_id: UUID,
        after: UUID | None,
        rows: int,
        *,
        only_new: bool = False,
        deep: bool = False,
    ) -> list[UUID]:
        """The next items that were copied, after one of them.

        With `only_new`, those that were not verified (deeply, if so) since they were copied.
        """
        given = {"migration_id": migration_id, "after": after, "rows": rows}
        given |= {"only_new": only_new, "deep": deep}
        with self._postgres.connection() as connection:
            return [row[0] for row in connection.execute(query("items_to_verify"), given)]

    @retried
    def note_differences(self, item: Item, found: Sequence[Difference], *, deep: bool) -> None:
        """Keep what a verification of an item found; nothing makes it verified."""
        with self._postgres.connection() as connection:
            note_differences(connection, [item], {item.id: found}, deep=deep)

    @retried
    def note_verified(
        self, items: Sequence[Item], found: Mapping[UUID, Sequence[Difference]]
    ) -> None:
        """Keep what a verification of some items found, in one transaction."""
        with self._postgres.connection() as connection:
            note_differences(connection, items, found, deep=False)

    @retried
    def note_verification(self, migration_id: UUID, *, deep: bool, only_new: bool = False) -> None:
        """Note that the whole migration was verified; with `only_new`, when it was last read."""
        told = {"id": migration_id, "deep": deep, "only_new": only_new}
        self._run("note_verification", told)

    @retried
    def differences(self, migration_id: UUID, limit: int = 100) -> list[DifferenceEntry]:
        """The first differences that the last verification found."""
        return self._listed("differences_page", DifferenceEntry, migration_id, limit)

    @retried
    def quarantine(self, migration_id: UUID, limit: int = 100) -> list[QuarantineEntry]:
        """The first of what could not be imported, and why."""
        return self._listed("quarantine_page", QuarantineEntry, migration_id, limit)

    @retried
    def accept(self, migration_id: UUID, paths: Sequence[bytes], by: str) -> int:
        """Accept that these items are imported in part, or not at all; gives how many are known."""
        with self._postgres.connection() as connection:
            given = {"migration_id": migration_id, "paths": list(paths), "by": by}
            return connection.execute(query("accept_items"), given).rowcount

    @retried
    def obstacles(self, migration_id: UUID) -> Obstacles:
        """What stands in the way of a cutover."""
        with self._postgres.connection() as connection:
            given = {"migration_id": migration_id}
            return Obstacles(*connection.execute(query("count_obstacles"), given).fetchall()[0])

    @retried
    def note_cutover(self, migration_id: UUID, by: str, manifest_sha256: str) -> None:
        """Sign a migration off."""
        told = {"id": migration_id, "by": by, "manifest_sha256": manifest_sha256}
        self._run("note_cutover", told)

    def audit_cutover(self, migration: Migration, **details: str) -> None:
        """Have the audit log know of a cutover before it happens."""
        told = {"migration_id": str(migration.id), "source": migration.source[:1000], **details}
        self._postgres.audit("source cut over", [Act(migration.agent_id, details=told)])

    def manifest(self, migration_id: UUID) -> Iterator[ManifestFile]:
        """Every path of the manifest, in the order of their bytes."""
        page = self._manifest_page(migration_id, b"")
        while page:
            yield from page
            page = self._manifest_page(migration_id, page[-1].path)

    @retried
    def note_copy(self, migration_id: UUID) -> None:
        """Note that everything that could be copied is copied."""
        self._run("note_copy", {"id": migration_id})

    @retried
    def retry_quarantined(self, migration_id: UUID) -> int:
        """Have the items in quarantine, and those with problems, copied again; gives how many."""
        with self._postgres.connection() as connection:
            told = {"migration_id": migration_id}
            return connection.execute(query("retry_quarantined"), told).rowcount

    @retried
    def summary(self, migration_id: UUID) -> Summary:
        """How far a migration is."""
        given = {"migration_id": migration_id}
        migration = self.get(migration_id)
        with self._postgres.connection() as connection:
            with connection.cursor(row_factory=dict_row) as cursor:
                groups = cursor.execute(query("count_items"), given).fetchall()
            files = connection.execute(query("count_files"), given).fetchall()
        return _summary(migration, groups, files)

    @retried
    def found(self, migration_id: UUID) -> Found:
        """What the last inventory found."""
        summary = self.summary(migration_id)
        ignored = summary.files.get("ignored", 0)
        return Found(
            summary.formats,
            summary.items["total"],
            sum(summary.files.values()) - ignored,
            summary.size_bytes,
            ignored,
        )

    def _listed(self, name: str, kind: type[Any], migration_id: UUID, limit: int) -> list[Any]:
        start = {"after_path": START.path, "after_id": START.id, "after_number": -2}
        given = {"migration_id": migration_id, "rows": checked_limit(limit), **start}
        return self._all(name, kind, given)

    @retried
    def _manifest_page(self, migration_id: UUID, after: bytes) -> list[ManifestFile]:
        given = {"migration_id": migration_id, "after_path": after, "rows": _MANIFEST_PAGE}
        with self._postgres.connection() as connection:
            return [ManifestFile(*row) for row in connection.execute(query("manifest_page"), given)]

    def _run(self, name: str, given: dict[str, Any]) -> None:
        with self._postgres.connection() as connection:
            connection.execute(query(name), given)

    def _one(self, name: str, given: dict[str, Any]) -> Migration:
        found: list[Migration] = self._all(name, Migration, given)
        if not found:
            raise RecordNotFound(
                f"There is no migration {given['id']}; 'agentruns migrate list' shows all."
            )
        return found[0]

    def _all(self, name: str, kind: type[Any], given: dict[str, Any]) -> list[Any]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(kind)) as cursor,
        ):
            return cursor.execute(query(name), given).fetchall()


def migration_id_of(source: Path | str, agent_id: str) -> UUID:
    """The id of the migration of a source for an agent, whether there is one yet or not."""
    return imported_id("migration", str(source), agent_id)


def _summary(
    migration: Migration, groups: Sequence[dict[str, Any]], files: Sequence[tuple[str, int, int]]
) -> Summary:
    there = [group for group in groups if not group["is_gone"]]
    items = {status: _total(there, "items", status) for status in _STATUSES}
    items["total"] = sum(items.values())
    items["gone"] = sum(group["items"] for group in groups) - items["total"]
    for name in ("verified", "deeply_verified"):
        items[name] = sum(group[name] for group in there)
    by_status = {status: count for status, count, _ in files}
    known = {name: by_status.get(name, 0) for name in _FILE_STATUSES}
    size = int(sum(size for status, _, size in files if status != "ignored"))
    return Summary(migration, items, known, size, there)


def _total(groups: Sequence[dict[str, Any]], name: str, status: str) -> int:
    return int(sum(group[name] for group in groups if group["status"] == status))
