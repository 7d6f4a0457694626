"""What is read in one pass over the objects, and what came of an object."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

MOST_PARTS = 10_000
MOST_SAMPLE = 1_000_000_000
_SUBSET = re.compile(r"(next|[0-9]{1,5})/([0-9]{1,5})")
_RULE = (
    "a subset is n/t, the n-th of t parts, such as 3/30, or next/t, the part that was not read for "
    f"the longest time; t is at most {MOST_PARTS}"
)


class Scope(NamedTuple):
    """Which objects are read: all of them unless it says otherwise."""

    parts: int | None = None
    part: int | None = None
    """None with `parts`: the one that was not read for the longest time."""
    sample: int | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """What a pass over these objects is called."""
        if self.sample is not None:
            return f"sample {self.sample}, seed {self.seed}"
        return f"subset {self.part}/{self.parts}" if self.parts else "all"


def scope_of(sample: int | None = None, seed: int = 0, subset: str | None = None) -> Scope:
    """The scope that people ask for.

    Raises:
        ValueError: when it is none.
    """
    if subset is None:
        if sample is not None and not 1 <= sample <= MOST_SAMPLE:
            raise ValueError("a sample has at least one object")
        return Scope(sample=sample, seed=seed)
    if sample is not None:
        raise ValueError("choose a sample or a subset, not both")
    found = _SUBSET.fullmatch(subset)
    part, parts = found.groups() if found else ("0", "0")
    number = None if part == "next" else int(part)
    if not 1 <= int(parts) <= MOST_PARTS or not (number is None or 1 <= number <= int(parts)):
        raise ValueError(_RULE)
    return Scope(int(parts), number)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the objects of a scope; one that was cut off is gone on with."""

    id: UUID
    scope: str
    began_at: datetime
    finished_at: datetime | None
    all_objects: int
    all_bytes: int
    objects: int
    """Those that are read."""
    size_bytes: int


class Target(NamedTuple):
    """An object that is to be read, as the inventory has it."""

    bucket: str
    object_path: str
    etag: str
    modified_at: datetime | None


class Reading(NamedTuple):
    """What came of reading an object to its end."""

    bucket: str
    object_path: str
    sha256: str | None
    """None: it could not be read."""
    size_bytes: int | None
    etag: str
    modified_at: datetime | None
    fault: str | None
    is_told_elsewhere: bool = False
    """Gone meanwhile, or under a name that none of ours has: other checks find that."""
