"""The names of an organised folder, and the files that belong to it."""

import re
from collections.abc import Iterator
from pathlib import Path

from agentruns.trajectories.finding import names_in
from agentruns.trajectories.walking import is_folder, walk

FLAT = re.compile(r"trajectory_(progress|screenshot|other)_\d{1,12}\.json\Z")
GROUPED = re.compile(r"(?P<turn>turn_\d{1,9})_(?P<number>\d{1,9})_(?P<name>.{1,200})\.(json|png)\Z")
METADATA = re.compile(r".+_metadata\.json\Z")
PICTURES = "screenshots"
GROUPS = (PICTURES, "agent_responses", "other")


def is_organised(folder: Path) -> bool:
    """Tell by names whether the folder holds files sorted into one heap or into groups."""
    if any(map(FLAT.match, names_in(folder))):
        return True
    return any(map(GROUPED.match, (name for group in GROUPS for name in names_in(folder / group))))


def own_files(folder: Path) -> Iterator[Path]:
    """What belongs to an organised folder, in order; others may share it."""
    for name in sorted(name for name in names_in(folder) if name in GROUPS or FLAT.match(name)):
        path = folder / name
        if name not in GROUPS or not is_folder(path):
            yield path
        elif _is_group(path):
            yield from walk(path)


def _is_group(group: Path) -> bool:
    """Whatever lies in `screenshots` may be one; `other` is a name that others use too."""
    if group.name == PICTURES:
        return True
    return any(GROUPED.match(name) or METADATA.match(name) for name in names_in(group))
