"""What makes one task of a run whose recording arrived after its folder, to be killed."""

from collections.abc import Iterator

from storage.migration import Migration, MigrationStore
from storage.migration.copying import Copying
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import START
from storage.migration.superseding import Superseding
from storage.migration.verifying import Verifying
from storage.stores import Stores


def first_copy(source: str, agent_id: str) -> Iterator[str]:
    """The first run of a migration, step by step."""
    stores = Stores()
    store = MigrationStore(stores.postgres)
    migration = store.open(source, agent_id)
    with store.only_run(migration.id):
        store.take_inventory(migration)
        yield "first copy"
        _copy(stores, store, migration)


def next_run(source: str, agent_id: str) -> Iterator[str]:
    """A later one."""
    stores = Stores()
    store, superseding = MigrationStore(stores.postgres), Superseding(stores)
    migration = store.open(source, agent_id, listing=False)
    with store.only_run(migration.id):
        yield "look"
        superseding.look_for_recordings(migration.id)
        yield "join"
        _copy(stores, store, migration)
        yield "compare"
        _verify(stores, store, migration)
        yield "supersede"
        superseding.supersede(migration.id, agent_id)


def _copy(stores: Stores, store: MigrationStore, migration: Migration) -> None:
    copying = Copying(store, stores.writer, recordings=LiveRecordings(stores))
    for key, _, _ in store.items_to_copy(migration.id, START, 1000):
        copying.copy(migration, [key.id])


def _verify(stores: Stores, store: MigrationStore, migration: Migration) -> None:
    """Verify all items byte by byte."""
    verifying = Verifying(stores, migration, deep=True)
    ids = store.items_to_verify(migration.id, None, 1000)
    files = store.files_of(ids)
    for item in store.items(ids):
        found = verifying.differences(item, files[item.id])
        store.note_differences(item, found, deep=True)
