"""Reading one agent's documents: typed filters in, documents out, newest first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo.collection import Collection
from pymongo.database import Database

from agentruns.models import LogEntry, Memory, Page
from storage.mongo.documents import LOGS, MEMORIES, Document, Model, models_of
from storage.mongo.pages import NEWEST_FIRST, before
from storage.paging import Position, checked_limit, read_cursor

_COLLECTIONS: dict[type, str] = {LogEntry: LOGS, Memory: MEMORIES}


def page_of(
    database: Database[Document],
    kind: type[Model],
    wanted: dict[str, Any],
    limit: int,
    after: str | None,
) -> Page[Model]:
    """One page of the documents that have these values."""
    documents = newest(database[_COLLECTIONS[kind]], older(wanted, after), checked_limit(limit) + 1)
    return Page(models_of(kind, documents[:limit]), next_cursor(documents, limit))


def known_ids(
    database: Database[Document], kind: type[LogEntry] | type[Memory], ids: list[UUID]
) -> set[UUID]:
    """Which of these documents are there."""
    found = database[_COLLECTIONS[kind]].find({"_id": {"$in": ids}}, {"_id": 1})
    return {document["_id"] for document in found}


def older(wanted: dict[str, Any], after: str | None) -> dict[str, Any]:
    """The filter for what comes after a cursor; both may bound the time, so both must hold."""
    position = read_cursor(after)
    return {"$and": [wanted, before(position)]} if position else wanted


def newest(collection: Collection[Document], query: dict[str, Any], count: int) -> list[Document]:
    """The newest `count` documents that match."""
    return list(collection.find(query).sort(NEWEST_FIRST).limit(count))


def next_cursor(documents: list[Document], limit: int) -> str | None:
    """Where the next page begins, when one document more than the page holds was found."""
    if len(documents) <= limit:
        return None
    last = documents[limit - 1]
    return Position(last["created_at"], last["_id"]).cursor()


def filters(
    task_id: UUID | str | None = None, since: datetime | None = None, **texts: str | None
) -> dict[str, Any]:
    """A filter of plain values: a dictionary that poses as a value raises, it is never an operator.

    Raises:
        ValueError: when a value is not of its type.
    """
    query: dict[str, Any] = {
        name: _text(name, text) for name, text in texts.items() if text is not None
    }
    if task_id is not None:
        query["task_id"] = task_id if isinstance(task_id, UUID) else UUID(_text("task_id", task_id))
    if since is not None:
        query["created_at"] = {"$gte": _aware(since)}
    return query


def level_counts(database: Database[Document], task_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """How many log entries of each level each task has; one aggregation, answered by an index."""
    groups = database[LOGS].aggregate(
        [
            {"$match": {"task_id": {"$in": task_ids}}},
            {"$group": {"_id": {"task": "$task_id", "level": "$level"}, "entries": {"$sum": 1}}},
        ]
    )
    counts: dict[UUID, dict[str, int]] = {}
    for group in groups:
        counts.setdefault(group["_id"]["task"], {})[group["_id"]["level"]] = group["entries"]
    return counts


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {type(value).__name__}")  # noqa: TRY004 - callers catch ValueError for every bad argument
    return str(value)


def _aware(value: datetime) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("since must be a time with a time zone, for example datetime.now(UTC)")
    return value
