"""Keeping what became of items, one transaction a batch."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any
from uuid import UUID

from agentruns.trajectories import Problem
from storage.migration.models import Difference, Item
from storage.migration.outcome import FileOutcome, Outcome
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query

#: A folder of broken files would fill the table; the others are counted in the last one.
MOST_PROBLEMS = 10_000
#: In one statement; a long run has tens of thousands.
MOST_FILES = 2_000


def note(connection: PgConnection, outcomes: Iterable[Outcome]) -> None:
    """Keep what became of items of one migration; nothing of those that changed meanwhile."""
    noted = [outcome for outcome in outcomes if _is_noted(connection, outcome)]
    ids = [outcome.item.id for outcome in noted]
    connection.execute(query("forget_problems"), {"item_ids": ids})
    _each(connection, "insert_problem", list(chain.from_iterable(map(_problems, noted))))
    files = chain.from_iterable(outcome.files for outcome in noted)
    while some := list(islice(files, MOST_FILES)):
        given = {"migration_id": noted[0].item.migration_id, **_columns(some)}
        connection.execute(query("note_copied_files"), given)


def note_differences(
    connection: PgConnection,
    items: Iterable[Item],
    found: Mapping[UUID, Sequence[Difference]],
    *,
    deep: bool,
) -> None:
    """Keep what a verification of items found; those of which it found nothing are verified.

    Nothing of those that changed since they were read.
    """
    valid = _still_as_verified(connection, [item for item in items if item.id in found])
    found = {item_id: found[item_id] for item_id in valid}
    connection.execute(query("forget_differences"), {"item_ids": list(found)})
    told = [
        {"item_id": item_id, "number": number, "path": path, "difference": said}
        for item_id, differences in found.items()
        for number, (path, said) in enumerate(differences)
    ]
    _each(connection, "insert_difference", told)
    good = [item_id for item_id, differences in found.items() if not differences]
    bad = [item_id for item_id, differences in found.items() if differences]
    connection.execute(query("note_verified"), {"ids": good, "deep": deep})
    connection.execute(query("note_different"), {"ids": bad})


def _still_as_verified(connection: PgConnection, items: Sequence[Item]) -> list[UUID]:
    told = {
        "ids": [item.id for item in items],
        "fingerprints": [item.fingerprint for item in items],
    }
    return [row[0] for row in connection.execute(query("still_as_verified"), told)]


def _is_noted(connection: PgConnection, outcome: Outcome) -> bool:
    if outcome.status != "pending":
        return bool(connection.execute(query("note_copied"), _row(outcome)).rowcount)
    waiting = {"id": outcome.item.id, "reason": outcome.reason}
    connection.execute(query("note_postponed"), waiting)
    return False


def _each(connection: PgConnection, name: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(query(name), rows)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.item.id,
        "status": outcome.status,
        "reason": outcome.reason,
        "problems": len(outcome.problems),
        "task_ids": outcome.task_ids,
        "archive_path": outcome.archive_path,
        "counts": outcome.counts,
        "fingerprint": outcome.item.fingerprint,
        "recorded_as": outcome.recorded_as,
        "own_task": outcome.sighting and outcome.sighting.task_id,
        "began_at": outcome.sighting and outcome.sighting.began_at,
        "stepped_at": outcome.sighting and outcome.sighting.stepped_at,
        "call_id": outcome.sighting and outcome.sighting.call_id,
        "compared": outcome.compared,
    }


def _problems(outcome: Outcome) -> list[dict[str, Any]]:
    told = outcome.problems[:MOST_PROBLEMS]
    if rest := len(outcome.problems) - len(told):
        told[-1] = Problem(".", None, f"{rest + 1} more problems are not listed.")
    return [
        {
            "item_id": outcome.item.id,
            "number": number,
            "path": problem.path,
            "byte_offset": problem.offset,
            "reason": problem.reason,
        }
        for number, problem in enumerate(told)
    ]


def _columns(files: Sequence[FileOutcome]) -> dict[str, Any]:
    return {
        "paths": [file.path for file in files],
        "statuses": [file.status for file in files],
        "reasons": [file.reason for file in files],
        "hashes": [file.sha256 for file in files],
    }
