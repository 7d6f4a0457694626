"""The state of inventories in PostgreSQL, so that a killed one goes on where it stood."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from agentruns.models import new_id
from storage.errors import QualityRunning, RecordNotFound
from storage.inventory.models import Part, Snapshot
from storage.minio import ObjectInfo
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.holding import holding
from storage.postgres.queries import query
from storage.retries import retried

#: Comparing a million objects with a million rows takes half a minute.
_COMPARE_SECONDS = 3600.0
_CHUNK_SECONDS = 60.0
#: An inventory that was cut off longer ago is begun anew, as what it compares is no news any more.
_RESUMABLE = timedelta(hours=6)
#: Inventories that are kept: the newest, and one to compare it with.
_KEPT = 2


class InventoryStore:
    """Keeps what the object store holds, and where that differs from the metadata."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @contextmanager
    def only_run(self) -> Iterator[None]:
        """Be the only one who lists and checks while this lasts; a kill ends it, too.

        Raises:
            QualityRunning: when somebody else does.
        """
        refusal = QualityRunning(
            "Another check of the data is at work; wait until it is over, then see its result in "
            "Prefect."
        )
        with holding(self._postgres, "hold_inventory", refusal):
            yield

    @retried
    def open(self, grace: timedelta) -> Snapshot:
        """The inventory that was cut off lately, else a new one that begins at this moment."""
        if cut_off := self._snapshots("unfinished_snapshot", {"lately": _RESUMABLE}):
            return cut_off[0]
        return self._snapshots("open_snapshot", {"id": new_id(), "grace": grace})[0]

    @retried
    def get(self, snapshot_id: UUID) -> Snapshot:
        """One inventory.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        found = self._snapshots("snapshot", {"id": snapshot_id})
        if not found:
            raise RecordNotFound(f"There is no inventory {snapshot_id}; it may have been replaced.")
        return found[0]

    @retried
    def planned_buckets(self, snapshot_id: UUID) -> set[str]:
        """The buckets whose parts are known."""
        with self._postgres.connection() as connection:
            given = {"snapshot_id": snapshot_id}
            return {row[0] for row in connection.execute(query("planned_buckets"), given)}

    @retried
    def plan(
        self, snapshot_id: UUID, bucket: str, prefixes: Sequence[str], loose: Sequence[ObjectInfo]
    ) -> None:
        """Keep what is to be listed in a bucket, and the objects that lie beside all agents."""
        given = {"snapshot_id": snapshot_id, "bucket": bucket}
        with self._postgres.connection(_CHUNK_SECONDS) as connection:
            connection.execute(query("plan_parts"), given | {"prefixes": ["", *prefixes]})
            _keep(connection, snapshot_id, Part(bucket, ""), loose, is_done=True)

    @retried
    def parts_to_list(self, snapshot_id: UUID) -> list[Part]:
        """The parts that are not listed to their end."""
        with self._postgres.connection() as connection:
            given = {"snapshot_id": snapshot_id}
            return [Part(*row) for row in connection.execute(query("parts_to_list"), given)]

    @retried
    def keep(
        self, snapshot_id: UUID, part: Part, objects: Sequence[ObjectInfo], *, is_done: bool
    ) -> Part:
        """Keep the next objects of a part, once however often this is called; gives where it is."""
        with self._postgres.connection(_CHUNK_SECONDS) as connection:
            return _keep(connection, snapshot_id, part, objects, is_done=is_done)

    def finish(self, snapshot_id: UUID) -> Snapshot:
        """Compare a listed inventory with the metadata; older ones go."""
        self._compare(snapshot_id)
        self._forget_old()
        return self.get(snapshot_id)

    @retried
    def _compare(self, snapshot_id: UUID) -> None:
        given = {"snapshot_id": snapshot_id}
        # In one transaction: nobody sees an inventory that is compared in part.
        with self._postgres.connection(_COMPARE_SECONDS) as connection:
            connection.execute(query("analyze_inventory"))
            connection.execute(query("forget_differences_of_snapshot"), given)
            connection.execute(query("compare_inventory"), given)
            connection.execute(query("analyze_differences"))
            for step in STEPS:
                connection.execute(query(step), given)
            connection.execute(query("close_snapshot"), {"id": snapshot_id})

    @retried
    def _forget_old(self) -> None:
        with self._postgres.connection(_COMPARE_SECONDS) as connection:
            old = connection.execute(query("old_snapshots"), {"keep": _KEPT}).fetchall()
            for (id_,) in old:
                connection.execute(query("forget_objects"), {"id": id_})
                connection.execute(query("forget_snapshot"), {"id": id_})

    def _snapshots(self, name: str, given: dict[str, Any]) -> list[Snapshot]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(Snapshot)) as cursor,
        ):
            return cursor.execute(query(name), given).fetchall()


#: What is done with the differences before anybody sees them.
STEPS: tuple[LiteralString, ...] = (
    "forget_deleted_objects",
    "find_moved_objects",
    "find_strange_orphans",
)


def _keep(
    connection: PgConnection,
    snapshot_id: UUID,
    part: Part,
    objects: Sequence[ObjectInfo],
    *,
    is_done: bool,
) -> Part:
    after = part._replace(reached=objects[-1].path if objects else part.reached)
    told = {
        "snapshot_id": snapshot_id,
        "bucket": part.bucket,
        "prefix": part.prefix,
        "before": part.reached,
        "reached": after.reached,
        "objects": len(objects),
        "size_bytes": sum(found.size for found in objects),
        "is_done": is_done,
    }
    # Whoever comes second with the same objects, after a lost reply, finds the part advanced.
    if connection.execute(query("advance_part"), told).rowcount and objects:
        _copy(connection, snapshot_id, part.bucket, objects)
    return after


def _copy(
    connection: PgConnection, snapshot_id: UUID, bucket: str, objects: Sequence[ObjectInfo]
) -> None:
    connection.execute(query("make_room_for_listed"))
    with connection.cursor() as cursor, cursor.copy(query("copy_listed")) as copy:
        for found in objects:
            copy.write_row((found.path, found.size, found.etag, found.modified))
    given = {"snapshot_id": snapshot_id, "bucket": bucket}
    connection.execute(query("store_listed"), given)
