"""Whether this machine sees the source that an inventory listed, and not another of its name."""

import os
from itertools import chain

from storage.errors import SettingsError
from storage.migration import MigrationStore
from storage.migration.item_copy import is_as_listed
from storage.migration.models import START, Migration
from storage.migration.object_names import is_unfit
from storage.migration.places import checked_place
from storage.migration.reaching import at_hand

#: As many items are looked at, and as many of their smallest files.
_ITEMS = 5
_FILES = 20


def check_source(store: MigrationStore, migration: Migration) -> None:
    """Refuse to read a source that is not here, or not what the inventory saw.

    Agents may write to it meanwhile, so half of what is looked at may be new.

    Raises:
        SettingsError: when this machine sees another source, a part of it, or none.
    """
    checked_place(migration.source)
    waiting = store.items_to_copy(migration.id, START, _ITEMS)
    ids = [key.id for key, _, _ in waiting if not is_unfit(key.path)]
    files = chain.from_iterable(store.files_of(ids).values())
    some = sorted(files, key=lambda file: file.size_bytes)[:_FILES]
    with at_hand(migration, some) as here:
        known = sum(is_as_listed(os.fsencode(here.source), file) for file in some)
    if known < len(some) / 2:
        raise SettingsError(
            f"This machine has another {migration.source} than the inventory listed: "
            f"{len(some) - known} of {len(some)} files that were looked at are missing or differ. "
            "Mount the source under this path here, or keep this worker out of the pool."
        )
