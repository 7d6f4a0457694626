"""The original files of one item as one compressed archive, from which they can be rebuilt.

A tar file, compressed by zstd: `files/00000000` and so on, and at its end `manifest.json`, which
tells the path, size, time and SHA-256 of every original file and where its bytes are: in the
archive, or in an object of their own. Pictures inside JSON give way to the name of their object;
secrets are redacted, and the manifest says which. Equal files give an equal archive.
"""

import hashlib
import io
import json
import os
import tarfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from backports.zstd import ZstdFile

from agentruns.cleaning import SecretPatterns
from agentruns.trajectories.file_memory import MEMORY
from agentruns.trajectories.files import LARGEST, Unreadable, fingerprint, read_content
from storage.migration.cleaned import Cleaned, cleaned, cleaned_pieces
from storage.migration.models import ItemFile

FORMAT = "agentruns-archive-1"
MANIFEST = "manifest.json"
EXTENSION = ".tar.zst"
CONTENT_TYPE = "application/zstd"


@dataclass(slots=True)
class Packing:
    """One archive while it is written."""

    source: Path
    tar: tarfile.TarFile
    objects: Mapping[str, str]
    """SHA-256 to `bucket/path` of the objects that the item's records brought."""
    patterns: SecretPatterns
    manifest: IO[bytes]
    """As JSON at once, and beyond a megabyte on the disk: a long run has many files."""
    hashes: dict[bytes, str] = field(default_factory=dict)

    def add(self, file: ItemFile) -> None:
        """Pack one file.

        Raises:
            Unreadable: when it is gone or may not be read.
        """
        name = os.fsdecode(file.path)
        if file.size_bytes > LARGEST:
            self._add_large(file, name)
            return
        known = MEMORY.fingerprint(self.source, name)
        if known and (place := self.objects.get(known.sha256)):
            told = {"size": known.size_bytes, "sha256": known.sha256, "object": place}
            self._note(file, told)
            return
        content = read_content(self.source, name)
        about: dict[str, Any] = {"size": len(content.data), "sha256": content.sha256}
        if place := self.objects.get(content.sha256):
            self._note(file, {**about, "object": place})
        else:
            kept = cleaned(content.data, self.objects, self.patterns)
            self._put(file, io.BytesIO(kept.data), len(kept.data), {**about, **_told(kept)})

    def close(self) -> None:
        """Write the manifest."""
        self.manifest.write(b'], "format": "%b"}' % FORMAT.encode())
        size = self.manifest.tell()
        self.manifest.seek(0)
        self.tar.addfile(_header(MANIFEST, size), self.manifest)

    def _add_large(self, file: ItemFile, name: str) -> None:
        """A file that is not held in memory: cleaned piece by piece on its way."""
        printed = fingerprint(self.source, name)
        about = {"size": printed.size_bytes, "sha256": printed.sha256}
        if place := self.objects.get(printed.sha256):
            self._note(file, {**about, "object": place})
            return
        patterns = None if printed.holds_nul else self.patterns
        with cleaned_pieces(self.source, name, patterns) as (stream, size, redactions):
            told = {"redacted": redactions} if redactions else {}
            self._put(file, stream, size, {**about, **told})

    def _put(self, file: ItemFile, stream: Any, size: int, about: dict[str, Any]) -> None:
        member = f"files/{len(self.hashes):08d}"
        self.tar.addfile(_header(member, size), stream)
        self._note(file, {**about, "member": member})

    def _note(self, file: ItemFile, about: dict[str, Any]) -> None:
        before = b", " if self.hashes else b""
        self.hashes[file.path] = about["sha256"]
        entry = {**_path(file.path), "modified_ns": file.modified_ns, **about}
        said = json.dumps(entry, ensure_ascii=False, sort_keys=True)
        self.manifest.write(before + said.encode())


@contextmanager
def packing(
    target: Path, source: Path, objects: Mapping[str, str], patterns: SecretPatterns
) -> Iterator[Packing]:
    """Write an archive to `target`; complete when the block is left without an error."""
    with (
        SpooledTemporaryFile(max_size=2**20) as manifest,
        ZstdFile(target, "wb") as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        manifest.write(b'{"files": [')
        pack = Packing(source, tar, objects, patterns, manifest)
        yield pack
        pack.close()


def sha256_of(path: Path) -> str:
    """The hash of an archive."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    return header


def _path(path: bytes) -> dict[str, str]:
    try:
        return {"path": path.decode()}
    except UnicodeDecodeError:
        return {"path_base64": b64encode(path).decode()}


def _told(kept: Cleaned) -> dict[str, Any]:
    pictures = {"pictures": kept.pictures} if kept.pictures else {}
    return pictures | ({"redacted": kept.redacted} if kept.redacted else {})


__all__ = ["CONTENT_TYPE", "EXTENSION", "FORMAT", "MANIFEST", "Unreadable", "packing", "sha256_of"]
