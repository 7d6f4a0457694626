"""Reading models out of named queries: one, or a page of them."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from psycopg.rows import class_row

from agentruns.models import (
    AgentTask,
    Evaluation,
    MissingFile,
    Page,
    ProgressUpdate,
    StoredFile,
)
from agentruns.models.values import Record
from storage.paging import Position, checked_limit, read_cursor
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query

Kept = TypeVar("Kept", bound=Record)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Kept]):
    """A list that is read page by page: what it is of, its query and the time it is ordered by."""

    kind: type[Kept]
    query: str
    time: str


TASKS = Listing(AgentTask, "tasks_page", "created_at")
PROGRESS_OF_TASK = Listing(ProgressUpdate, "progress_of_task", "timestamp")
RECENT_PROGRESS = Listing(ProgressUpdate, "recent_progress", "timestamp")
FILES = Listing(StoredFile, "files_page", "uploaded_at")
MISSING_FILES = Listing(MissingFile, "missing_files_page", "uploaded_at")
EVALUATIONS = Listing(Evaluation, "evaluations_page", "created_at")


def window(limit: int, after: str | None) -> dict[str, Any]:
    """The parameters that cut a page out of a list.

    Raises:
        ValueError: when the limit or the cursor is not valid.
    """
    position = read_cursor(after)
    return {
        # One more than asked tells whether another page follows.
        "rows": checked_limit(limit) + 1,
        "after_at": position and position.at,
        "after_id": position and position.id,
        "after_sequence": position and position.sequence,
    }


def read_page(
    connection: PgConnection,
    listing: Listing[Kept],
    filters: dict[str, Any],
    window: dict[str, Any],
) -> Page[Kept]:
    """The page of a list that the window cuts out."""
    with connection.cursor(row_factory=class_row(listing.kind)) as cursor:
        found = cursor.execute(query(listing.query), filters | window).fetchall()
    limit = window["rows"] - 1
    items = tuple(found[:limit])
    if len(found) <= limit:
        return Page(items)
    return Page(items, _position(listing, items[-1]).cursor())


def _position(listing: Listing[Kept], item: Kept) -> Position:
    return Position(*attrgetter(listing.time, "id")(item), getattr(item, "sequence", None) or 0)


def read_one(
    connection: PgConnection, kind: type[Kept], name: str, given: dict[str, Any]
) -> Kept | None:
    """The one record that a query finds, if any."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query(name), given).fetchone()
