"""Where old runs lie: a folder of this machine, or a prefix in a bucket; both can do the same."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from storage.migration.folder_place import FolderPlace
from storage.migration.models import ItemFile, ManifestFile
from storage.migration.prefix_place import SCHEME, PrefixPlace, address_of
from storage.migration.scanning import Member, Scanned, source_folder


class Listing(Protocol):
    """What lies at a place, looked at once: first its paths, then which belong to an item."""

    def paths(self) -> Iterator[Scanned]:
        """Every path, in any order; memory does not grow with them."""

    def members(self, only: str | None) -> Iterator[Member]:
        """Every path that belongs to an item of a format, or of the one format that is named."""


class Place(Protocol):
    """A source of runs."""

    @property
    def name(self) -> str:
        """What people call it, and what a later run finds it by."""

    def listing(self) -> AbstractContextManager[Listing]:
        """Look at it anew."""

    def at_hand(self, files: Iterable[ItemFile]) -> AbstractContextManager[Path]:
        """A folder in which these files lie under their names, while this lasts."""

    def trash(self, time: str) -> str:
        """Where its files go once the stores are what counts; beside it, never below it."""

    def move(self, files: Iterable[ManifestFile], trash: str) -> int:
        """Move each file that still has the hash of the manifest; gives how many were moved."""

    def left(self) -> Iterator[str]:
        """What lies there now, for people."""


def place_of(name: str) -> Place:
    """The place with the name that a migration keeps."""
    return PrefixPlace(address_of(name)) if name.startswith(SCHEME) else FolderPlace(Path(name))


def checked_place(told: str) -> Place:
    """The place that a person names, when there is one.

    Raises:
        SettingsError: when there is none; the message says what to name.
    """
    if not told.startswith(SCHEME):
        return FolderPlace(source_folder(told))
    place = PrefixPlace(address_of(told))
    place.check()
    return place


__all__ = ["Listing", "Place", "checked_place", "place_of"]
