"""How much a spool may still take: its own limit, and what the disk has."""

import os
import time
from pathlib import Path

from agentruns.spool.databases import disk_full, explained
from agentruns.spool.errors import SpoolFull
from agentruns.spool.segment_writer import SegmentWriter
from agentruns.spool.sizes import SpoolSizes
from agentruns.spool.spool import Spool

LEAST_BYTES = 1024 * 1024
#: Kept free for a new segment, so that a full one can be sealed, delivered and removed.
RESERVE_BYTES = 128 * 1024
#: The same on the disk, where a delivery needs some room to begin at all.
KEPT_FREE_BYTES = 1024 * 1024
#: A commit rewrites whole pages, so it takes more than its events.
COMMIT_BYTES = 16 * 1024
#: What others write and the delivery frees is looked at so often; our own part at every call.
MEASURE_SECONDS = 1.0


class Quota:
    """Keeps a spool under its limit and off the last of the disk, as far as this process sees."""

    def __init__(self, spool: Spool, max_bytes: int | None) -> None:
        if max_bytes is not None and max_bytes < LEAST_BYTES:
            raise ValueError(f"max_bytes is at least {LEAST_BYTES} (1 MiB), or None for no limit")
        self._spool = spool
        self._max = max_bytes
        self._sizes = SpoolSizes(spool.folder)
        self._others = 0
        self._measured = float("-inf")

    def segment_bytes(self, largest: int) -> int:
        """How large a segment should grow; several have to fit."""
        return largest if self._max is None else min(largest, self._max // 8)

    def claim(self, wanted: int, segment: SegmentWriter) -> None:
        """Make sure of room for so many more bytes.

        Raises:
            SpoolFull: when there is not enough, or (DiskFull) not on the disk.
        """
        self.claim_disk(wanted, segment.path)
        if self._max is None:
            return
        if time.monotonic() - self._measured > MEASURE_SECONDS:
            self._measure(segment)
        if not self._fits(wanted, segment):
            self._measure(segment)  # the delivery may have made room this moment
        if not self._fits(wanted, segment):
            raise SpoolFull(
                f"The spool {self._spool.folder} has reached its limit of {self._max} bytes: "
                "let a delivery drain it (agentruns deliver), or raise max_bytes. "
                "What it holds is untouched."
            )

    def claim_disk(self, wanted: int, folder: Path) -> None:
        """Make sure that the disk has room for so many bytes and for what frees it.

        Raises:
            DiskFull: when it has not.
            SpoolUnusable: when the folder is gone; SQLite would go on writing into nowhere.
        """
        with explained(self._spool.folder):
            disk = os.statvfs(folder)
        # Some file systems do not know how large they are.
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < wanted + KEPT_FREE_BYTES:
            raise disk_full(self._spool.folder)

    def _fits(self, wanted: int, segment: SegmentWriter) -> bool:
        used = self._others + segment.size()
        return used + wanted + COMMIT_BYTES + RESERVE_BYTES <= (self._max or 0)

    def _measure(self, segment: SegmentWriter) -> None:
        self._others = self._sizes.besides(segment.path)
        self._measured = time.monotonic()
