"""How far objects are read, in PostgreSQL, so that a killed pass goes on where it stood."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from agentruns.models import new_id
from storage.deep.models import Pass, Reading, Scope, Target
from storage.errors import QualityRunning
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.holding import holding
from storage.postgres.queries import query
from storage.retries import retried

#: Choosing among a million objects takes seconds.
_PLAN_SECONDS = 600.0
#: A pass that was cut off longer ago is begun anew.
_RESUMABLE = timedelta(days=31)


class DeepStore:
    """Keeps what is left to read, and the objects that hold something else than is told of them."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @contextmanager
    def only_run(self) -> Iterator[None]:
        """Be the only one who reads objects while this lasts; a kill ends it, too.

        Raises:
            QualityRunning: when somebody else does.
        """
        refusal = QualityRunning(
            "Another deep check reads the objects; wait until it is over, then see its result in "
            "Prefect."
        )
        with holding(self._postgres, "hold_deep", refusal):
            yield

    def open(self, scope: Scope) -> list[Pass]:
        """What is to be read: passes that were cut off, and a new one when none was of this scope.

        Every part that was begun is read to its end, whichever is asked for.
        """
        self._forget_abandoned()
        cut_off = self._unfinished(scope)
        if scope.parts and scope.part is None:
            scope = scope._replace(part=self._next_part(scope.parts))
        if any(one.scope == scope.name for one in cut_off):
            return cut_off
        return [*cut_off, self._plan(new_id(), scope)]

    @retried
    def to_read(self, pass_id: UUID, rows: int, after: Target | None = None) -> list[Target]:
        """The next objects of a pass."""
        bucket, path = (after.bucket, after.object_path) if after else ("", "")
        given = {"id": pass_id, "bucket": bucket, "object_path": path, "rows": rows}
        with self._postgres.connection() as connection:
            return [Target(*row) for row in connection.execute(query("objects_to_read"), given)]

    @retried
    def keep(self, pass_id: UUID, readings: Sequence[Reading]) -> None:
        """Keep what came of some objects, once however often this is called."""
        with self._postgres.connection() as connection:
            connection.execute(query("forget_older_readings"), _columns(readings))
            there = [one for one in readings if not one.is_told_elsewhere]
            connection.execute(query("keep_readings"), _columns(there))
            given = _columns(readings) | {"id": pass_id}
            connection.execute(query("forget_read_objects"), given)

    @retried
    def finish(self, pass_id: UUID) -> Pass:
        """Everything of a pass is read."""
        return self._passes("finish_pass_of_objects", {"id": pass_id})[0]

    @retried
    def at_work(self) -> Pass | None:
        """The pass that was begun last and is not finished."""
        return next(iter(self._passes("pass_at_work", {})), None)

    @retried
    def _unfinished(self, scope: Scope) -> list[Pass]:
        return self._passes("unfinished_passes", {"scope": scope.name, "parts": scope.parts})

    @retried
    def _next_part(self, parts: int) -> int:
        with self._postgres.connection() as connection:
            found = connection.execute(query("next_part"), {"parts": parts}).fetchall()
            return int(found[0][0])

    @retried
    def _plan(self, pass_id: UUID, scope: Scope) -> Pass:
        with self._postgres.connection(_PLAN_SECONDS) as connection:
            _choose(connection, pass_id, scope)
            with connection.cursor(row_factory=class_row(Pass)) as cursor:
                return cursor.execute(query("count_plan"), {"id": pass_id}).fetchall()[0]

    @retried
    def _forget_abandoned(self) -> None:
        with self._postgres.connection(_PLAN_SECONDS) as connection:
            given = {"lately": _RESUMABLE}
            for (id_,) in connection.execute(query("abandoned_passes"), given).fetchall():
                connection.execute(query("forget_objects_of_pass"), {"id": id_})
                connection.execute(query("forget_pass_of_objects"), {"id": id_})

    def _passes(self, name: str, given: dict[str, Any]) -> list[Pass]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(Pass)) as cursor,
        ):
            return cursor.execute(query(name), given).fetchall()


def _choose(connection: PgConnection, pass_id: UUID, scope: Scope) -> None:
    given = scope._asdict() | {"id": pass_id, "scope": scope.name}
    connection.execute(query("open_pass_of_objects"), given)
    name = "plan_all_objects" if scope.sample is None else "plan_sample_of_objects"
    # The reply to an attempt may have been lost after its commit.
    if not connection.execute(query("objects_to_read"), _FIRST | given).rowcount:
        connection.execute(query(name), given)
    connection.execute(query("analyze_deep_objects"))


_FIRST = {"bucket": "", "object_path": "", "rows": 1}


def _columns(readings: Sequence[Reading]) -> dict[str, Any]:
    return {
        "buckets": [one.bucket for one in readings],
        "paths": [one.object_path for one in readings],
        "hashes": [one.sha256 for one in readings],
        "sizes": [one.size_bytes for one in readings],
        "etags": [one.etag for one in readings],
        "times": [one.modified_at for one in readings],
        "faults": [one.fault for one in readings],
    }
