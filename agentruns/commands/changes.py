"""Tells what changes in watched folders, as it happens where the system can say so."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentruns.commands.scanning import leads_elsewhere

#: How often somebody looks: at what changed lately, or at everything where nobody tells.
LOOK_SECONDS = 1.0
#: How often everything is looked at all the same: the system forgets some of a flood.
LOOK_AT_ALL_SECONDS = 60.0

#: Paths that may have changed; None means that anything may have.
Touched = frozenset[Path] | None


def changes(folders: Sequence[Path], ended: threading.Event) -> Iterator[Touched]:
    """What may have changed, at least once a second, until the end.

    Told by inotify through watchfiles; where that is missing, at its limit or would follow links
    out of the folder, everything is looked at every second.
    """
    try:
        yield from _told(folders, ended)
    # RuntimeError: how watchfiles passes an error of its own on. OSError: inotify has limits.
    except (ImportError, OSError, RuntimeError):
        yield from _every_second(ended)


def _told(folders: Sequence[Path], ended: threading.Event) -> Iterator[Touched]:
    # Late: an agent's machine needs nothing but pydantic.
    from watchfiles import watch  # noqa: PLC0415

    if any(leads_elsewhere(folder) for folder in folders):
        raise OSError("watchfiles would follow the links")
    watched = _inodes(folders)
    looked_at = 0.0
    for told in watch(
        *folders,
        watch_filter=None,
        stop_event=ended,
        debounce=int(LOOK_SECONDS * 1000),
        step=100,
        rust_timeout=int(LOOK_SECONDS * 1000),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        if _inodes(folders) != watched:
            raise OSError("a folder was replaced, and nobody tells about the new one")
        # The first time, too: what came before the watch stood was told by nobody.
        overdue = time.monotonic() > looked_at + LOOK_AT_ALL_SECONDS or not looked_at
        looked_at = time.monotonic() if overdue else looked_at
        yield None if overdue else frozenset(Path(path) for _, path in told)


def _inodes(folders: Sequence[Path]) -> list[int]:
    return [folder.stat().st_ino for folder in folders]


def _every_second(ended: threading.Event) -> Iterator[Touched]:
    while not ended.wait(LOOK_SECONDS):
        yield None
