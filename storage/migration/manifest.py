"""A migration's manifest as a file: one JSON object a line, in the order of the paths' bytes."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from storage.migration.cutover import manifest_digest
from storage.migration.models import ManifestFile


class Manifest(NamedTuple):
    """What was written."""

    files: int
    sha256: str
    """The digest that a cutover signs off; it is of paths, sizes and hashes, not of these lines."""


def write_manifest(files: Iterable[ManifestFile], target: Path) -> Manifest:
    """Write a line for each file, however many there are."""
    written = 0
    with target.open("w", encoding="utf-8") as stream:

        def each() -> Iterator[ManifestFile]:
            nonlocal written
            for file in files:
                stream.write(json.dumps(_line(file), ensure_ascii=False) + "\n")
                written += 1
                yield file

        digest = manifest_digest(each())
    return Manifest(written, digest)


def _line(file: ManifestFile) -> dict[str, Any]:
    told = {"size": file.size_bytes, "sha256": file.sha256, "decision": file.decision}
    try:
        return {"path": file.path.decode(), **told}
    except UnicodeDecodeError:
        return {"path_base64": b64encode(file.path).decode(), **told}
