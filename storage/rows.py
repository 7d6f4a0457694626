"""Storing many PostgreSQL rows although some of them are refused."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from storage.errors import RecordRejected
from storage.rejection import Rejection

#: Rows by the name under which the adapter takes them, those that others refer to first.
Rows: TypeAlias = Mapping[str, Sequence[Any]]

#: Keeps rows (and `touched` tasks) in one transaction, or raises and keeps none.
Keep: TypeAlias = Callable[..., None]


def store_rows(keep: Keep, rows: Rows, touched: Collection[UUID]) -> list[Rejection]:
    """Keep the rows in one transaction; only when that is refused, find the culprits by halving."""
    if not touched and not any(rows.values()):
        return []
    try:
        keep(**rows, touched=touched)
    except RecordRejected as error:
        rejected = _halved(keep, rows, error)
        return rejected + store_rows(keep, {}, touched)
    return []


def _halved(keep: Keep, rows: Rows, error: RecordRejected) -> list[Rejection]:
    if sum(map(len, rows.values())) == 1:
        (record,) = (record for records in rows.values() for record in records)
        return [Rejection(type(record).__name__, record.id, str(error))]
    earlier, later = _halves(rows)
    return store_rows(keep, earlier, ()) + store_rows(keep, later, ())


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    middle = sum(map(len, rows.values())) // 2
    earlier: dict[str, Sequence[Any]] = {}
    later: dict[str, Sequence[Any]] = {}
    for name, records in rows.items():
        earlier[name], later[name] = records[:middle], records[middle:]
        middle = max(middle - len(records), 0)
    return earlier, later
