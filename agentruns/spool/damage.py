"""What is left of a damaged segment or ledger, and the copy that is kept of it."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentruns.models import utcnow
from agentruns.spool.databases import connect, is_damage
from agentruns.spool.disk import UNFINISHED, make_folder, sync_folder, write_text
from agentruns.spool.lanes import Lane
from agentruns.spool.layout import DAMAGED, EVENTS, LEDGER

#: Places are looked through so many at a time.
WINDOW = 1_000
#: After so many windows without an event the rest is taken for lost.
HOPELESS = 10
REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Salvage:
    """How far the events of each lane can be found, and how many before that can't."""

    last: dict[Lane, int] = field(default_factory=dict)
    missing: dict[Lane, int] = field(default_factory=dict)


def salvage(read: Callable[[Lane, int, int], Sequence[tuple[Any, ...]]]) -> Salvage:
    """Look for events with `read(lane, after, upto)`, which gives the rows that can be read."""
    found = Salvage()
    for lane in Lane:
        last, count = looked_through(lambda after, upto, lane=lane: read(lane, after, upto))  # type: ignore[misc]  # mypy can't infer a lambda with a default
        found.last[lane], found.missing[lane] = last, last - count
    return found


def looked_through(
    read: Callable[[int, int], Sequence[tuple[Any, ...]]], start: int = 0
) -> tuple[int, int]:
    """The last event after `start` that can be found, or `start`, and how many there are."""
    last, count = start, 0
    while start - last < HOPELESS * WINDOW:
        positions = [row[0] for row in read(start, start + WINDOW)]
        last, count, start = max([last, *positions]), count + len(positions), start + WINDOW
    return last, count


def set_aside(segment: Path, error: str, found: Salvage) -> Path:
    """Keep a copy of a damaged segment with a report; once is enough.

    The objects are linked, as some may belong to events that can't be read any more.
    """
    spool = segment.parents[2]
    kept = spool / DAMAGED / f"{segment.parent.name}-{segment.name}"
    if kept.exists():
        return kept
    make_folder(kept.parent)
    part = kept.with_name(f"{UNFINISHED}{kept.name}")
    shutil.rmtree(part, ignore_errors=True)
    make_folder(part)
    for path in segment.iterdir():
        with suppress(FileNotFoundError):
            _keep(path, part / path.name)
    write_text(part / REPORT, json.dumps(_report(segment, error, found), indent=2))
    part.rename(kept)
    sync_folder(kept.parent)
    return kept


def mend_ledger(spool: Path) -> None:
    """Put a ledger that is damaged aside with a report; for whoever holds the lock of the delivery.

    With the new one, what is in the spool is delivered once more, which changes nothing.
    """
    error = _damage_of(spool / LEDGER)
    if error is None:
        return
    now = utcnow()
    kept = spool / DAMAGED / f"ledger-{now:%Y%m%dT%H%M%S}"
    make_folder(kept)
    write_text(kept / REPORT, json.dumps({"error": error, "found_at": now.isoformat()}, indent=2))
    # The database goes last: a new one beside the old one's log would take that for its own.
    for path in sorted(spool.glob(f"{LEDGER}*"), reverse=True):
        path.rename(kept / path.name)
    sync_folder(kept)


def _damage_of(database: Path) -> str | None:
    if not database.exists():
        return None
    try:
        with closing(connect(database)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return str(error)
    return None if found == "ok" else str(found)


def reports(spool: Path) -> list[dict[str, Any]]:
    """The report of everything that is kept aside."""
    return [
        json.loads(path.read_text()) for path in sorted(spool.glob(f"{DAMAGED}/[!.]*/{REPORT}"))
    ]


def _keep(source: Path, target: Path) -> None:
    # SQLite goes on writing into its own files; objects never change.
    if source.name.startswith(EVENTS):
        shutil.copyfile(source, target)
    else:
        os.link(source, target)


def _report(segment: Path, error: str, found: Salvage) -> dict[str, Any]:
    return {
        "segment": f"{segment.parent.name}/{segment.name}",
        "error": error,
        "found_at": utcnow().isoformat(),
        "last_event_found": found.last,
        "events_missing_before": found.missing,
    }
