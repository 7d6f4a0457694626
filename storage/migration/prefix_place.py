"""A prefix in a bucket as a source: `s3://bucket/prefix`, wherever the bucket is."""

import re
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from agentruns.cleaning import printable
from agentruns.models import Bucket
from agentruns.trajectories import all_readers
from agentruns.trajectories.reader import TrajectoryReader
from storage.errors import RecordRejected, SettingsError
from storage.migration.models import ItemFile, ManifestFile
from storage.migration.object_names import fault_of, judged, unfit_path
from storage.migration.scanning import Member, Scanned, members_found
from storage.migration.scratch import scratch
from storage.migration.skeleton import Peeking, Skeleton
from storage.migration.staging import AT_ONCE, stage
from storage.minio.source import SourceBucket, SourceObject
from storage.settings import Settings, load_settings

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: Of the object that has the prefix itself as its name; no name is written with this byte.
_OWN_PATH = b"\xff"
_FOLDER = "An empty object that stands for a folder."
_MOVED_AT_A_TIME = 1_000


class Address(NamedTuple):
    """A bucket and what the names in it begin with."""

    bucket: str
    prefix: str
    """Empty, or the names of folders with a slash behind each."""

    @property
    def name(self) -> str:
        """As people write it; it says nothing of the server, which may move."""
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def root(self, scratch: Path) -> Path:
        """The folder that stands for the prefix."""
        # Some readers name a run after the folders above it, which have to be the same each time.
        return scratch.joinpath(*("s3",) * 4, self.bucket, self.prefix)


def address_of(told: str) -> Address:
    """What a source such as `s3://bucket/prefix` means.

    Raises:
        SettingsError: when it means nothing.
    """
    bucket, _, prefix = told.removeprefix(SCHEME).partition("/")
    prefix = prefix.rstrip("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise SettingsError(f"{told} names no bucket: write s3://bucket/prefix.")
    if prefix and (fault := fault_of(prefix)):
        raise SettingsError(f"{told} is no source: {fault} Name a prefix above it.")
    return Address(bucket, f"{prefix}/" if prefix else "")


class PrefixListing:
    """What lies below a prefix; its names are on the disk, so that readers can look at them."""

    def __init__(self, bucket: SourceBucket, prefix: str, root: Path) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._skeleton = Skeleton(bucket, prefix, root)

    def paths(self) -> Iterator[Scanned]:
        """Every object; one whose name is no path becomes an item of its own."""
        known: dict[str, SourceObject] = {}
        for name, fault in judged(self._names(known)):
            yield self._scanned(name, known.pop(name), fault)

    def members(self, only: str | None) -> Iterator[Member]:
        """Every object that belongs to an item."""
        readers = [reader for reader in all_readers() if only in {None, reader.name}]
        peeking = [Peeking(reader, self._skeleton) for reader in readers]
        # To find items, nobody asks a reader for more.
        return members_found(self._skeleton.root, cast("list[TrajectoryReader]", peeking))

    def _names(self, known: dict[str, SourceObject]) -> Iterator[str]:
        for found in self._bucket.list(self._prefix):
            name = found.name.removeprefix(self._prefix)
            known[name] = found
            yield name

    def _scanned(self, name: str, found: SourceObject, fault: str | None) -> Scanned:
        path = name.encode("utf-8", "surrogatepass") or _OWN_PATH
        if found.size == 0 and _is_folder(name):
            return Scanned(path, path, 0, found.modified_ns, _FOLDER)
        if fault:
            return Scanned(path, unfit_path(name), found.size, found.modified_ns, None)
        self._skeleton.add(name, found.size)
        return Scanned(path, path.rpartition(b"/")[0], found.size, found.modified_ns, None)


class PrefixPlace:
    """The objects are fetched where they are read, and gone again afterwards."""

    def __init__(self, address: Address, settings: Settings | None = None) -> None:
        self._address = address
        self._settings = settings or load_settings()

    @property
    def name(self) -> str:
        """`s3://bucket/prefix`."""
        return self._address.name

    def check(self) -> None:
        """Refuse a prefix of our own, and one without objects.

        Raises:
            SettingsError: which says what to name.
        """
        if self._address.bucket in set(Bucket) and _is_ours(self._settings):
            raise SettingsError(
                f"{self.name} lies in a bucket of agentruns itself: what is there was imported or "
                "recorded. Name the prefix that holds the old runs."
            )
        if self._bucket.is_empty(self._address.prefix):
            raise SettingsError(
                f"{self.name} holds no object: name the prefix that holds the old runs."
            )

    @contextmanager
    def listing(self) -> Iterator[PrefixListing]:
        """Look at it anew."""
        with self._root() as root:
            yield PrefixListing(self._bucket, self._address.prefix, root)

    @contextmanager
    def at_hand(self, files: Iterable[ItemFile]) -> Iterator[Path]:
        """A scratch folder with these objects."""
        with self._root() as root:
            stage(self._bucket, self._address.prefix, root, files)
            yield root

    def trash(self, time: str) -> str:
        """A prefix beside it, in the same bucket.

        Raises:
            RecordRejected: when the source is a whole bucket, which has nothing beside it.
        """
        if not self._address.prefix:
            raise RecordRejected(
                f"{self.name} is a whole bucket, and the trash would lie in it: remove its objects "
                "with the tools of its server."
            )
        return f"{self.name}.migrated-{time}"

    def move(self, files: Iterable[ManifestFile], trash: str) -> int:
        """Move what is still as the manifest says, some objects at a time."""
        below, moved, waiting = address_of(trash).prefix, 0, iter(files)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="move") as pool:
            while some := list(islice(waiting, _MOVED_AT_A_TIME)):
                moved += sum(pool.map(lambda file: self._move(file, below), some))
        return moved

    def left(self) -> Iterator[str]:
        """The name of every object that is still there."""
        for found in self._bucket.list(self._address.prefix):
            yield printable(found.name.removeprefix(self._address.prefix)) or "."

    def _move(self, file: ManifestFile, below: str) -> bool:
        if not file.sha256:
            return False
        name = file.path.decode()
        return self._bucket.move(f"{self._address.prefix}{name}", f"{below}{name}", file.sha256)

    @cached_property
    def _bucket(self) -> SourceBucket:
        return SourceBucket(self._settings, self._address.bucket)

    @contextmanager
    def _root(self) -> Iterator[Path]:
        with scratch() as folder:
            root = self._address.root(folder)
            root.mkdir(parents=True)
            yield root


def _is_folder(name: str) -> bool:
    return not name or (name.endswith("/") and not fault_of(name[:-1]))


def _is_ours(settings: Settings) -> bool:
    """Whether the source's server is our own object store, whatever it is called here and there."""
    ours, theirs = settings.minio_endpoint, settings.agentruns_source_s3_endpoint
    if not ours or not theirs:
        return False
    return ours.lower() == theirs.lower() or bool(_addresses(ours) & _addresses(theirs))


def _addresses(endpoint: str) -> set[tuple[str, str]]:
    host, colon, port = endpoint.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]") if colon else endpoint, None)
    except OSError:
        return set()
    return {(str(one[4][0]), port if colon else "") for one in found}
