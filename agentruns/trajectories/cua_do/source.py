"""The files of one recording, in a folder or a zip; both may be hostile, and neither is trusted."""

import hashlib
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from agentruns.trajectories.file_memory import Content
from agentruns.trajectories.files import LARGEST, PIECE, Unreadable, read_content
from agentruns.trajectories.walking import walk

#: A zip whose list of files is longer is not opened: the list is held in memory.
LARGEST_LIST = 4 * 2**20
#: A zip is not read past this many bytes, whatever it says of itself.
LARGEST_WHOLE = 2**31
END = struct.Struct("<4s4H2LH")
LONGEST_END = END.size + 2**16
ZIP64_LOCATOR = 20
KNOWN_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
NOT_PLAIN = re.compile(r"(^|/)\.{0,2}(/|\Z)|\\|\x00")
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class Source(Protocol):
    """Where the files of a recording are."""

    def names(self) -> Iterator[str]:
        """The path of each file, in order."""

    def read(self, name: str) -> Content:
        """A file's bytes; raises `Unreadable` for anything but a plain file in bounds."""


class FolderSource:
    """A recording as it was written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> Iterator[str]:
        """The path of everything that is no folder."""
        return (path.relative_to(self._folder).as_posix() for path in walk(self._folder))

    def read(self, name: str) -> Content:
        """A file's bytes; no link is followed."""
        return read_content(self._folder, name)


class ZipSource:
    """A recording that was packed; nothing of it is ever written to the disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = LARGEST_WHOLE
        self._times = Counter(archive.namelist())

    def names(self) -> Iterator[str]:
        """Every name in the list that is no folder's, each once."""
        return iter(sorted(name for name in self._times if not name.endswith("/")))

    def read(self, name: str) -> Content:
        """A file's bytes, counted while they are unpacked."""
        info = self._archive.getinfo(name)
        if self._times[name] > 1:
            raise Unreadable("The zip holds several files of this name.")
        if reason := _refusal(info):
            raise Unreadable(reason)
        try:
            data = b"".join(self._pieces(info))
        except (*BROKEN, RuntimeError):
            raise Unreadable("The file is broken in the zip.") from None
        return Content(data, hashlib.sha256(data).hexdigest())

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        size = 0
        with self._archive.open(info) as file:
            while piece := file.read(PIECE):
                size += len(piece)
                self._left -= len(piece)
                if size > LARGEST or self._left < 0:
                    raise Unreadable("The zip unpacks to more bytes than are read.")
                yield piece


def _refusal(info: zipfile.ZipInfo) -> str | None:
    if NOT_PLAIN.search(info.filename):
        return "A path that may lead out of the zip."
    if stat.S_ISLNK(info.external_attr >> 16):
        return "A symbolic link, and links are never followed."
    if info.flag_bits & 1:
        return "The file is encrypted."
    if info.compress_type not in KNOWN_COMPRESSIONS:
        return "The file is compressed in a way that the recorder does not use."
    if info.file_size > LARGEST:
        return f"The file has {info.file_size} bytes, more than the {LARGEST} that are read."
    return None


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, if its list of files has a size fit for memory; else raises `Unreadable`."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Unreadable("Not a regular file, so it was not read.")
        if not _is_listed_briefly(path):
            raise Unreadable("The file is no zip, or one whose list of files is too long.")
        archive = zipfile.ZipFile(path)
    except BROKEN:
        raise Unreadable("The zip is broken or may not be read.") from None
    with archive:
        yield archive


def _is_listed_briefly(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LONGEST_END - ZIP64_LOCATOR))
        tail = file.read(LONGEST_END + ZIP64_LOCATOR)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + END.size > len(tail):
        return False
    # The long form of zips may say another size, and no recording needs it.
    is_long = tail[max(0, at - ZIP64_LOCATOR) : at].startswith(b"PK\x06\x07")
    return not is_long and bool(END.unpack_from(tail, at)[5] <= LARGEST_LIST)
