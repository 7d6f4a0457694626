"""What a file is, judged by its content; names lie."""

import re
from pathlib import PurePath
from typing import NamedTuple

from agentruns.cleaning import picture_kind
from agentruns.models import Bucket

HEAD_BYTES = 4096
#: Besides those of pictures.
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"PK\x03\x04", "application/zip", ".zip"),
    (b"\x1f\x8b", "application/gzip", ".gz"),
    (b"\x1aE\xdf\xa3", "video/webm", ".webm"),
)
PLAIN_EXTENSION = re.compile(r"\.[a-z0-9]{1,10}\Z")


class Kind(NamedTuple):
    """Where a file belongs, and what it is called there."""

    bucket: Bucket
    content_type: str
    extension: str


def kind_of(head: bytes, name: PurePath) -> Kind:
    """The kind of a file that begins with `head`; only binary pictures are screenshots."""
    content_type, extension = _by_signature(head) or _by_text(head, name)
    picture = content_type.startswith("image/")
    return Kind(Bucket.SCREENSHOTS if picture else Bucket.BINARIES, content_type, extension)


def _by_signature(head: bytes) -> tuple[str, str] | None:
    if picture := picture_kind(head):
        return picture.content_type, picture.extension
    if head[4:8] == b"ftyp":
        return "video/mp4", ".mp4"
    found = (kind for kind in SIGNATURES if head.startswith(kind[0]))
    return next(((content_type, extension) for _, content_type, extension in found), None)


def _by_text(head: bytes, name: PurePath) -> tuple[str, str]:
    suffix = name.suffix.lower()
    extension = suffix if PLAIN_EXTENSION.match(suffix) else ""
    if not _is_text(head):
        return "application/octet-stream", extension
    # HTML and SVG stay plain text: they must never run in a reader's browser.
    return ("application/json" if suffix == ".json" else "text/plain; charset=utf-8"), extension


def _is_text(head: bytes) -> bool:
    # The head may end inside a character.
    text = head.decode(errors="ignore")
    return "\x00" not in text and len(text.encode()) > len(head) - 4
