"""A process that makes one task of a run whose recording arrived after its folder, to be killed."""

import sys
from collections.abc import Iterator

from storage.migration import Migration, MigrationStore
from storage.migration.copying import Copying
from storage.migration.live_recordings import LiveRecordings
from storage.migration.models import START
from storage.migration.superseding import Superseding
from storage.migration.verifying import Verifying
from storage.stores import Stores, shared_stores


def tell(word: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def steps(stores: Stores, source: str, agent_id: str) -> Iterator[str]:
    """What a run of the migration does, step by step."""
    store, superseding = MigrationStore(stores.postgres), Superseding(stores)
    migration = store.open(source, agent_id, listing=False)
    with store.only_run(migration.id):
        superseding.look_for_recordings(migration.id)
        yield "looked"
        copying = Copying(store, stores.writer, recordings=LiveRecordings(stores))
        for key, _, _ in store.items_to_copy(migration.id, START, 1000):
            copying.copy(migration, [key.id])
            yield "copied"
        verify(stores, store, migration)
        yield "verified"
        superseding.supersede(migration.id, agent_id)
    yield "done"


def verify(stores: Stores, store: MigrationStore, migration: Migration) -> None:
    """Verify all items byte by byte."""
    verifying = Verifying(stores, migration, deep=True)
    ids = store.items_to_verify(migration.id, None, 1000)
    files = store.files_of(ids)
    for item in store.items(ids):
        found = verifying.differences(item, files[item.id])
        store.note_differences(item, found, deep=True)


if __name__ == "__main__":
    for word in steps(shared_stores(), *sys.argv[1:]):
        tell(word)
