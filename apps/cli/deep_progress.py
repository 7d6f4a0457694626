"""How far a deep check is, as PostgreSQL knows it."""

from collections.abc import Callable
from contextlib import suppress

from apps.cli.terminal import Amount


def read_so_far() -> Callable[[], Amount | None]:
    """Tells, whenever it is called, how many objects of the pass at work are read."""

    def news() -> Amount | None:
        # Late: the stores bring their drivers.
        from storage.deep import DeepStore
        from storage.errors import StorageError
        from storage.stores import shared_stores

        # A store that is away is told by whoever needs it.
        with suppress(StorageError):
            if one := DeepStore(shared_stores().postgres).at_work():
                return Amount(f"Reading {one.scope}", one.objects, one.all_objects)
        return None

    return news
