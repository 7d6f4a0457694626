"""The object store listed into PostgreSQL, and compared with the metadata there."""

from storage.inventory.listing import Listing
from storage.inventory.models import Snapshot
from storage.inventory.store import InventoryStore

__all__ = ["InventoryStore", "Listing", "Snapshot"]
