"""The original folder of a task written anew from its archive and its objects."""

import hashlib
import json
import os
import tarfile
import tempfile
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

from backports.zstd import ZstdFile

from agentruns.cleaning import printable
from agentruns.models import Bucket
from agentruns.trajectories.files import PIECE
from storage.errors import RecordNotFound, RecordRejected
from storage.migration.archive import FORMAT, MANIFEST
from storage.migration.cleaned import restored
from storage.minio import MinIOAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query

#: A manifest that is larger is none of ours.
_LARGEST_MANIFEST = 512 * 2**20
#: Lies in a folder that is not rebuilt yet, and names its task; a kill leaves it there.
_MARK = ".agentruns-rebuilding"
_DAMAGED = "The archive {} is damaged: {}. 'agentruns migrate verify --deep' tells what else is."


class Rebuilt(NamedTuple):
    """What was written."""

    folder: str
    files: int
    equal: int
    """Files that are byte for byte what they were."""
    redacted: list[dict[str, Any]]
    """Files out of which secrets were taken, and where these were."""


class Rebuilding:
    """Writes original folders anew."""

    def __init__(self, postgres: PostgresAdapter, minio: MinIOAdapter) -> None:
        self._postgres = postgres
        self._minio = minio

    def rebuild(self, task_id: UUID, target: Path) -> Rebuilt:
        """Write the folder that a task was imported from, below `target`, which has to be empty.

        It may be killed at any point and be called again with the same target.

        Raises:
            RecordNotFound: when the task did not come from a folder.
            RecordRejected: when the target is not empty, or the archive is damaged.
        """
        archive = self._archive_of(task_id)
        equal, redacted = 0, list[dict[str, Any]]()
        with self._opened(archive) as (tar, manifest), _room(target, task_id, manifest):
            for entry in manifest:
                path = _place(target, entry, archive)
                with self._content(tar, entry, archive) as pieces:
                    sha256 = _write(path, pieces, entry["modified_ns"])
                if said := entry.get("redacted"):
                    redacted.append({"path": printable(str(path.relative_to(target))), "at": said})
                elif sha256 == entry["sha256"]:
                    equal += 1
                else:
                    raise RecordRejected(_DAMAGED.format(archive, "a file has other bytes"))
        return Rebuilt(str(target), len(manifest), equal, redacted)

    def _archive_of(self, task_id: UUID) -> str:
        with self._postgres.connection() as connection:
            found = connection.execute(query("archive_of_task"), {"task_id": task_id}).fetchall()
        if not found:
            raise RecordNotFound(f"The task {task_id} was not imported from a folder.")
        return str(found[0][0])

    @contextmanager
    def _opened(self, archive: str) -> Iterator[tuple[tarfile.TarFile, list[dict[str, Any]]]]:
        with tempfile.TemporaryFile() as stream:
            with self._minio.stream(Bucket.BINARIES, archive) as pieces:
                stream.writelines(pieces)
            stream.seek(0)
            with tempfile.TemporaryFile() as plain:
                with ZstdFile(stream) as compressed:
                    while piece := compressed.read(PIECE):
                        plain.write(piece)
                plain.seek(0)
                with tarfile.open(fileobj=plain) as tar:
                    yield tar, _manifest(tar, archive)

    @contextmanager
    def _content(
        self, tar: tarfile.TarFile, entry: dict[str, Any], archive: str
    ) -> Iterator[Iterable[bytes]]:
        """The pieces of one file; only one that gave pictures away is ever held as a whole."""
        if place := entry.get("object"):
            bucket, _, path = place.partition("/")
            with self._minio.stream(bucket, path) as pieces:
                yield pieces
            return
        member = tar.extractfile(entry["member"])
        if member is None:
            raise RecordRejected(_DAMAGED.format(archive, "a file is missing"))
        if pictures := entry.get("pictures"):
            known = {sha256: self._object(place) for sha256, place in pictures.items()}
            yield [restored(member.read(), known)]
        else:
            yield iter(lambda: member.read(PIECE), b"")

    def _object(self, place: str) -> bytes:
        bucket, _, path = place.partition("/")
        return self._minio.download(bucket, path)


@contextmanager
def _room(target: Path, task_id: UUID, manifest: list[dict[str, Any]]) -> Iterator[None]:
    """A folder that is empty, or that a killed rebuild of the same task has left."""
    target.mkdir(parents=True, exist_ok=True)
    mark = target / _free_name({entry.get("path") for entry in manifest})
    there = [path for path in target.iterdir() if path != mark]
    if there and not (mark.is_file() and mark.read_text() == str(task_id)):
        raise RecordRejected(f"{target} is not empty: name a new folder.")
    mark.write_text(str(task_id))
    yield
    mark.unlink()


def _free_name(taken: Collection[str | None]) -> str:
    name = _MARK
    while name in taken:
        name += "-"
    return name


def _manifest(tar: tarfile.TarFile, archive: str) -> list[dict[str, Any]]:
    try:
        stream = tar.extractfile(MANIFEST)
        document = json.loads(stream.read(_LARGEST_MANIFEST)) if stream else {}
    except (KeyError, ValueError, tarfile.TarError):
        raise RecordRejected(_DAMAGED.format(archive, "it has no manifest")) from None
    if document.get("format") != FORMAT:
        raise RecordRejected(_DAMAGED.format(archive, "its format is not known"))
    files: list[dict[str, Any]] = document["files"]
    return files


def _place(target: Path, entry: dict[str, Any], archive: str) -> Path:
    """Where a file is written: never outside of the target, whatever the archive says."""
    told = entry.get("path")
    raw = told.encode() if told is not None else b64decode(entry["path_base64"])
    parts = PurePosixPath(os.fsdecode(raw)).parts
    if not parts or parts[0] == "/" or ".." in parts or b"\0" in raw:
        raise RecordRejected(_DAMAGED.format(archive, "a path leads out of its folder"))
    return target.joinpath(*parts)


def _write(path: Path, pieces: Iterable[bytes], modified_ns: int) -> str:
    """Write a file, and tell its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    # Of a rebuild that was killed; in what was empty then, there is no link to follow.
    path.unlink(missing_ok=True)
    with path.open("xb") as stream:
        for piece in pieces:
            digest.update(piece)
            stream.write(piece)
    os.utime(path, ns=(modified_ns, modified_ns))
    return digest.hexdigest()
