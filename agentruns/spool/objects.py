"""The contents of uploads beside their events."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agentruns.models import Upload
from agentruns.spool.disk import written
from agentruns.spool.events import object_name

CHUNK = 1024 * 1024


def keep_object(upload: Upload, folder: Path) -> int:
    """Have the content of an upload in a folder, durably; says how many bytes that took.

    Content that is there already takes none: its name is its digest.

    Raises:
        ValueError: when a file is gone or no longer has the content that its digest says.
    """
    target = folder / object_name(upload.file)
    if target.exists():
        return 0
    with written(target) as file:
        if isinstance(upload.content, bytes):
            file.write(upload.content)
        else:
            _copy(upload.content, file, upload.file.sha256)
    return upload.file.size_bytes


def _copy(source: Path, target: BinaryIO, sha256: str) -> None:
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
        target.write(chunk)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{source.name} changed while it was read; hand it over once it is done.")


def _chunks(source: Path) -> Iterator[bytes]:
    # An error of the source is no error of the spool's disk.
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise ValueError(f"{source.name} could not be read: {error.strerror}.") from error
