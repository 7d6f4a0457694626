"""A process that takes an inventory in small steps, to be killed."""

import sys
from datetime import timedelta

import storage.inventory.listing
from storage.inventory import InventoryStore, Listing
from storage.inventory.models import Part
from storage.stores import shared_stores


class TellingStore(InventoryStore):
    """Says each step once it is done."""

    def keep(self, snapshot_id, part, objects, *, is_done) -> Part:
        after = super().keep(snapshot_id, part, objects, is_done=is_done)
        tell(f"{part.bucket}/{part.prefix} {len(objects)} {is_done}")
        return after

    def _compare(self, snapshot_id) -> None:
        tell("comparing")
        super()._compare(snapshot_id)
        tell("compared")


def tell(word: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Take an inventory, or go on with one that was killed."""
    storage.inventory.listing._CHUNK = 5
    stores = shared_stores()
    store = TellingStore(stores.postgres)
    with store.only_run():
        taken = Listing(store, stores.minio).take(timedelta())
    tell(f"done {taken.id}")


if __name__ == "__main__":
    main()
