"""The inventory: the source listed anew and compared with what was known, all inside PostgreSQL.

However many files there are, this process holds the names of one folder, or of one page, at a time.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any
from uuid import UUID

from agentruns.trajectories import all_readers
from agentruns.trajectories.hiccups import HICCUPS
from agentruns.trajectories.plugins import plugged_in_versions
from storage.migration.places import Place
from storage.migration.steps import Counting
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query

#: Loose files go into archives of about this size.
LARGEST_PORTION = 256 * 2**20
MOST_FILES = 10_000


def take_inventory(
    connection: PgConnection,
    migration_id: UUID,
    place: Place,
    only: str | None,
    counting: Counting,
) -> None:
    """Bring items and files of a migration up to date with its source, in one transaction."""
    given = {"migration_id": migration_id}
    told: dict[str, Any] = given | {"listed_with": _readers(only)}
    for name in ("scanned", "members", "placed"):
        connection.execute(query(f"make_room_for_{name}"))
    with place.listing() as listing:
        _copy(connection, "copy_scanned", counting.files(listing.paths()))
        unchanged = connection.execute(query("unchanged_items"), told).fetchall()
        if unchanged:
            counting.known(unchanged[0][0])
        else:
            hiccups = HICCUPS.count
            _copy(connection, "copy_members", counting.items(listing.members(only)))
            if HICCUPS.count > hiccups:
                told["listed_with"] = None  # somebody has to look into it again
            _place(connection, given)
    connection.execute(query("note_inventory"), {"id": migration_id, **told})


def _place(connection: PgConnection, given: dict[str, Any]) -> None:
    portions = {"largest_portion": LARGEST_PORTION, "most_files": MOST_FILES}
    connection.execute(query("place_scanned"), given | portions)
    for step in ("store_items", "store_scanned", "miss_items", "miss_files"):
        connection.execute(query(step), given)


def _readers(only: str | None) -> str:
    """Who looks into a source; others, or newer ones, may recognise other items in it."""
    names = (reader.name for reader in all_readers() if only in {None, reader.name})
    return " ".join([version("agentruns"), *names, *plugged_in_versions()])


def _copy(connection: PgConnection, name: str, rows: Iterable[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(query(name)) as copy:
        for row in rows:
            copy.write_row(row)
