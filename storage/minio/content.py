"""What an object holds: its hash, its size, and what it is, judged by its first bytes."""

import hashlib
import mimetypes
import re
from io import SEEK_END, BufferedReader, BytesIO
from pathlib import Path
from typing import NamedTuple

from agentruns.cleaning import PICTURE_KINDS, picture_kind
from storage.errors import RecordRejected

Content = bytes | Path
Readable = BufferedReader | BytesIO

UNKNOWN = "application/octet-stream"

#: The only types that a browser may show; SVG and HTML can run scripts, so they are not here.
IMAGES = {kind.extension: kind.content_type for kind in PICTURE_KINDS}

_PLAIN_EXTENSION = re.compile(r"\.[a-z0-9]{1,10}")
_HEAD = 16


class Digest(NamedTuple):
    """What names a content."""

    sha256: str
    size: int
    image: str | None  #: the extension, when it is an image


def digest(content: Content) -> Digest:
    """Hash a content, a file piece by piece.

    Raises:
        RecordRejected: when the file cannot be read.
    """
    with opened(content) as stream:
        image = image_extension(stream.read(_HEAD))
        stream.seek(0)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return Digest(sha256, stream.seek(0, SEEK_END), image)


def opened(content: Content) -> Readable:
    """The content as a stream, to be closed by the caller.

    Raises:
        RecordRejected: when it is a file that cannot be read.
    """
    if isinstance(content, bytes):
        return BytesIO(content)
    try:
        # A pipe or a device could keep us waiting for ever.
        if not content.is_file():
            raise RecordRejected(f"{content} is not there any more, or is not a plain file.")
        return content.open("rb")
    except OSError as error:
        raise RecordRejected(f"The file {content} cannot be read: {error.strerror}.") from error


def image_extension(head: bytes) -> str | None:
    """The extension of the image that begins like this; None when it is no image we know."""
    kind = picture_kind(head)
    return kind.extension if kind else None


def extension(image: str | None, filename: str) -> str:
    """The extension of the object's name; what is no image is not called like one."""
    suffix = Path(filename).suffix.lower()
    if image or suffix in IMAGES or not _PLAIN_EXTENSION.fullmatch(suffix):
        return image or ""
    return suffix


def content_type(image: str | None, filename: str, claimed: str | None) -> str:
    """The type for the metadata row; a claim to be an image counts only when it is one."""
    if image:
        return IMAGES[image]
    believed = claimed or mimetypes.guess_type(filename)[0] or UNKNOWN
    return UNKNOWN if believed in IMAGES.values() else believed


class CheckedStream:
    """A stream that proves its content before it hands out the last byte.

    The upload of a file that changed in the meantime therefore never completes.
    """

    def __init__(self, stream: Readable, sha256: str, size: int) -> None:
        self._stream = stream
        self._expected = sha256
        self._left = size
        self._hash = hashlib.sha256()
        # Nobody reads from an empty stream.
        if size == 0:
            self.read(0)

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            RecordRejected: when the content is not the one that was announced.
        """
        data = self._stream.read(size)
        self._hash.update(data)
        self._left -= len(data)
        ended_early = not data and self._left > 0
        if ended_early or (self._left == 0 and self._hash.hexdigest() != self._expected):
            raise RecordRejected(changed(self._expected))
        return data


def changed(sha256: str) -> str:
    """The reason for refusing a content that is not the announced one."""
    return (
        f"The content is not the one with SHA-256 {sha256[:12]}... that was announced: "
        "the file changed after it was recorded."
    )
