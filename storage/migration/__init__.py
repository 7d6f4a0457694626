"""From folders of old runs to the stores: listed, copied, verified, and rebuilt on request."""

from storage.migration.models import Found, Item, Migration, QuarantineEntry, Summary
from storage.migration.store import MigrationStore

__all__ = ["Found", "Item", "Migration", "MigrationStore", "QuarantineEntry", "Summary"]
