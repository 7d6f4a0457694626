"""What was read a moment ago, for those who read the same item several times.

Whoever lets it remember looks afterwards whether the files are still what they were.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agentruns.cleaning import picture_kind

#: Larger files are read again, and so are the later ones of more than these.
LARGEST_KEPT = 2**16
MOST_KEPT = 4 * 2**20
MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file and the name that proves them."""

    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a file whose bytes were not kept."""

    sha256: str
    size_bytes: int
    holds_nul: bool = False
    """Whether it is certainly no text."""


@dataclass(slots=True)
class _Kept:
    contents: dict[str, Content] = field(default_factory=dict)
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    size: int = 0


class FileMemory(threading.local):
    """Remembers what its thread reads, while it is asked to; pictures by their hash alone."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember until the end of the block."""
        self._kept = _Kept()
        try:
            yield
        finally:
            self._kept = None

    def forget(self) -> None:
        """Begin anew."""
        if self._kept:
            self._kept = _Kept()

    def content(self, folder: Path, name: str) -> Content | None:
        """The file as it was read, where that is known."""
        return self._kept.contents.get(f"{folder}/{name}") if self._kept else None

    def fingerprint(self, folder: Path, name: str) -> Fingerprint | None:
        """What is known of the file as it was read."""
        if self._kept is None:
            return None
        if content := self._kept.contents.get(f"{folder}/{name}"):
            return _fingerprint(content)
        return self._kept.fingerprints.get(f"{folder}/{name}")

    def keep(self, folder: Path, name: str, content: Content) -> None:
        """Remember a file, if there is room."""
        kept = self._kept
        if kept is None:
            return
        size, path = len(content.data), f"{folder}/{name}"
        if size > LARGEST_KEPT or picture_kind(content.data):
            if len(kept.fingerprints) < MOST_FILES:
                kept.fingerprints[path] = _fingerprint(content)
        elif kept.size + size <= MOST_KEPT:
            kept.contents[path] = content
            kept.size += size


def _fingerprint(content: Content) -> Fingerprint:
    return Fingerprint(content.sha256, len(content.data), b"\0" in content.data)


#: Of this process; each thread has its own.
MEMORY = FileMemory()
