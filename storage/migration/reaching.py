"""A migration as those see it who read the files of its source."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from storage.migration.models import ItemFile, Migration
from storage.migration.places import place_of


@contextmanager
def at_hand(migration: Migration, files: Iterable[ItemFile]) -> Iterator[Migration]:
    """The same migration with a folder as its source, in which these files lie."""
    with place_of(migration.source).at_hand(files) as folder:
        yield replace(migration, source=str(folder))
