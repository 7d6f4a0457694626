"""A process that copies a migration's items, to be killed."""

import sys

from storage.migration import MigrationStore
from storage.migration.copying import Copying
from storage.migration.models import START
from storage.migration.places import place_of
from storage.stores import shared_stores


def tell(word: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(source: str, agent_id: str) -> None:
    """List the source and copy it item by item, telling each."""
    stores = shared_stores()
    store = MigrationStore(stores.postgres)
    migration = store.open(place_of(source).name, agent_id, "UTC")
    with store.only_run(migration.id):
        store.take_inventory(migration)
        tell("listed")
        for key, _, _ in store.items_to_copy(migration.id, START, 1000):
            Copying(store, stores.writer).copy(migration, [key.id])
            tell(key.path.hex())
    tell("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
