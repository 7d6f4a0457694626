"""The steps of a migration: each is one call with ids, and can be repeated."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from uuid import UUID

from storage.migration import MigrationStore
from storage.migration.claims import Claims
from storage.migration.comparing import Comparing
from storage.migration.copying import Copied, Copying
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import Item, ItemKey, Migration
from storage.migration.places import checked_place
from storage.migration.reaching import at_hand
from storage.migration.steps import Amount, Steps
from storage.migration.superseding import Superseding
from storage.migration.verifying import Verifying
from storage.pace import shared_pace
from storage.stores import Stores, shared_stores
from tasks.migration_report import MigrationResult
from tasks.retries import store_task

#: About a second of work, so that little is done twice after a kill.
MOST_ITEMS = 64
MOST_FILES = 600
MOST_BYTES = 32 * 2**20


@store_task
def open_migration(
    source: str, agent_id: str, timezone: str | None, only_format: str | None, *, listing: bool
) -> UUID:
    """The migration of a source, made when there is none yet."""
    place = checked_place(source)
    store = _store()
    return store.open(place.name, agent_id, timezone, only_format=only_format, listing=listing).id


@contextmanager
def only_run(migration_id: UUID) -> Iterator[None]:
    """Be the only one at work on a migration while this lasts."""
    with _store().only_run(migration_id):
        yield


@store_task
def take_inventory(migration_id: UUID) -> None:
    """List the source anew."""
    store = _store()
    store.take_inventory(store.get(migration_id))


@store_task
def begin_copy(migration_id: UUID, retry_quarantined: bool) -> None:
    """Say what is to be copied, what could not be imported before among it if it is to be."""
    if retry_quarantined:
        _store().retry_quarantined(migration_id)
    _steps().begin(migration_id, "copy")


def cut(found: Iterable[tuple[ItemKey, int, int]]) -> list[list[UUID]]:
    """Items, each with its files and bytes, in batches of about a second."""
    batches: list[list[UUID]] = []
    room, places = 0, 0
    for key, files, size in found:
        room, places = room - size, places - files
        if not batches or min(room, places) < 0 or len(batches[-1]) == MOST_ITEMS:
            batches.append([])
            room, places = MOST_BYTES - size, MOST_FILES - files
        batches[-1].append(key.id)
    return batches


@store_task
def copy_items(
    migration_id: UUID,
    worker: UUID,
    ids: Sequence[UUID],
    verify: bool,
    max_mb_per_s: float | None = None,
) -> Copied:
    """Take what a worker claimed into the stores, compared at once if it is to be verified."""
    store, stores = _store(), _paced_stores(migration_id, max_mb_per_s)
    migration = store.get(migration_id)
    copying = Copying(store, stores.writer, recordings=LiveRecordings(stores))
    comparing = Comparing(stores, migration.agent_id) if verify else None
    copied = copying.copy(migration, ids, comparing)
    Claims(stores.postgres, migration_id, worker).release(ids)
    return copied


@store_task
def look_for_recordings(migration_id: UUID) -> int:
    """Have runs copied again of which a live recording arrived since."""
    return Superseding(shared_stores()).look_for_recordings(migration_id)


@store_task
def supersede_tasks(migration_id: UUID) -> int:
    """Remove the tasks whose runs are verified as parts of their live recordings."""
    agent_id = _store().get(migration_id).agent_id
    return Superseding(shared_stores()).supersede(migration_id, agent_id)


@store_task
def note_copy(migration_id: UUID) -> None:
    """Note that everything that could be copied is copied."""
    _store().note_copy(migration_id)
    _steps().end(migration_id, "copy")


@store_task
def begin_verification(migration_id: UUID, *, only_new: bool, deep: bool) -> None:
    """Say what is to be verified."""
    _steps().begin(migration_id, "verify", only_new=only_new, deep=deep)


@store_task
def plan_verification(
    migration_id: UUID, after: UUID | None, *, only_new: bool, deep: bool
) -> list[UUID]:
    """The next items to be verified; with `only_new`, those that were not since their copy."""
    store = _store()
    return store.items_to_verify(migration_id, after, MOST_ITEMS, only_new=only_new, deep=deep)


@store_task
def verify_items(
    migration_id: UUID, ids: Sequence[UUID], deep: bool, max_mb_per_s: float | None = None
) -> int:
    """Compare some items with what the stores have of them; gives how many differ."""
    store, stores = _store(), _paced_stores(migration_id, max_mb_per_s)
    migration, items = store.get(migration_id), store.items(ids)
    # However large they are, no more of them is at hand at once than there is to copy them.
    batches = cut((ItemKey(item.path, item.id), item.files, item.size_bytes) for item in items)
    known = {item.id: item for item in items}
    return sum(_verified(stores, migration, [known[id_] for id_ in some], deep) for some in batches)


def _verified(stores: Stores, migration: Migration, items: Sequence[Item], deep: bool) -> int:
    """Compare a batch of items, and count it; gives how many differ."""
    store, differ = _store(), 0
    files = store.files_of([item.id for item in items])
    with at_hand(migration, chain.from_iterable(files.values())) as here:
        verifying = Verifying(stores, here, deep=deep)
        for item in items:
            found = verifying.differences(item, files[item.id])
            store.note_differences(item, found, deep=deep)
            differ += bool(found)
    files_read, size = sum(item.files for item in items), sum(item.size_bytes for item in items)
    _steps().count(migration.id, "verify", Amount(len(items), files_read, size, differ))
    return differ


@store_task
def note_verification(migration_id: UUID, deep: bool, *, only_new: bool = False) -> None:
    """Note that the whole migration was verified."""
    _store().note_verification(migration_id, deep=deep, only_new=only_new)
    _steps().end(migration_id, "verify")


@store_task
def report(migration_id: UUID) -> MigrationResult:
    """How far a migration is, with the first of what is not good."""
    store = _store()
    return MigrationResult.of(
        store.summary(migration_id),
        store.quarantine(migration_id),
        store.differences(migration_id),
        _steps().all(migration_id),
    )


def _store() -> MigrationStore:
    return MigrationStore(shared_stores().postgres)


def _paced_stores(migration_id: UUID, max_mb_per_s: float | None) -> Stores:
    return shared_stores().paced(shared_pace(migration_id, max_mb_per_s))


def _steps() -> Steps:
    return Steps(shared_stores().postgres)
