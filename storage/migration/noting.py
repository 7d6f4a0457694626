"""Keeping what became of items, one transaction a batch."""

from collections.abc import Sequence
from typing import Any

from agentruns.trajectories import Problem
from storage.migration.outcome import FileOutcome, Outcome
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query

#: A folder of broken files would fill the table; the others are counted in the last one.
MOST_PROBLEMS = 10_000


def note(connection: PgConnection, outcome: Outcome) -> None:
    """Keep what became of an item; nothing when the source changed since it was listed."""
    item = outcome.item
    if outcome.status == "pending":
        connection.execute(query("note_postponed"), {"id": item.id, "reason": outcome.reason})
        return
    noted = connection.execute(query("note_copied"), _row(outcome)).rowcount
    if not noted:
        return
    connection.execute(query("forget_problems"), {"item_id": item.id})
    _each(connection, "insert_problem", _problems(outcome))
    _each(connection, "note_copied_file", [_file(outcome, file) for file in outcome.files])


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


def _file(outcome: Outcome, file: FileOutcome) -> dict[str, Any]:
    return {"migration_id": outcome.item.migration_id, **file._asdict()}
