"""Every path below a folder, holding the names of the folders on the way only."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentruns.trajectories.hiccups import HICCUPS


def walk(root: Path) -> Iterator[Path]:
    """Everything below the folder that is no folder itself, in order; no link is followed.

    A folder that cannot be listed is given as a path of its own, so that nobody overlooks it.
    """
    # Texts up to here: a `Path` of each folder takes longer than the disk.
    waiting = [_entries(os.fspath(root))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif _is_folder(entry) and os.access(entry.path, os.R_OK | os.X_OK):
            waiting.append(_entries(entry.path))
        else:
            yield Path(entry.path)


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder at the path, and no link to one."""
    return stat.S_ISDIR(mode_of(path))


def mode_of(path: Path) -> int:
    """What the path is, itself and not what it links to; 0 when nobody can tell."""
    with suppress(ValueError), HICCUPS:
        return path.lstat().st_mode
    return 0


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    with HICCUPS, os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    with HICCUPS:
        return entry.is_dir(follow_symlinks=False)
    return False
