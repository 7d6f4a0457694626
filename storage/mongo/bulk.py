"""Writing many documents at once; a refused one does not hold up the others."""

from typing import NamedTuple
from uuid import UUID

from bson.errors import BSONError
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure

from storage.errors import StoreUnavailable
from storage.mongo.documents import Document

_ALREADY_THERE = 11000
_OUT_OF_SPACE = 14031
_TOO_LARGE = 10334
#: The server refuses the whole batch for one such document: overflow (nested too deep), invalid
#: BSON, names it does not take, more than 16 MB.
_BAD_DOCUMENT = frozenset({2, 9, 15, 22, 52, 57, _TOO_LARGE})


class Refused(NamedTuple):
    """One document that MongoDB will never take."""

    id: UUID
    reason: str


def insert(collection: Collection[Document], documents: list[Document]) -> list[Refused]:
    """Insert what is not yet there, and say what was refused for good."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _refused_by_server(error)
    except (DocumentTooLarge, BSONError, OverflowError) as error:
        return _halved(collection, documents, str(error)[:200])
    except OperationFailure as error:
        if error.code not in _BAD_DOCUMENT:
            raise
        return _halved(collection, documents, _reason(error))
    return []


def _reason(error: OperationFailure) -> str:
    if error.code == _TOO_LARGE:
        return "a document has at most 16 MB"
    return str((error.details or {}).get("errmsg", error.code))[:200]


def _halved(
    collection: Collection[Document], documents: list[Document], reason: str
) -> list[Refused]:
    if len(documents) == 1:
        return [Refused(documents[0]["_id"], f"MongoDB cannot hold it: {reason}")]
    middle = len(documents) // 2
    return insert(collection, documents[:middle]) + insert(collection, documents[middle:])


def _refused_by_server(error: BulkWriteError) -> list[Refused]:
    details = error.details or {}
    failures = [item for item in details["writeErrors"] if item["code"] != _ALREADY_THERE]
    # Not on disk yet, or no disk left: neither says anything about the documents.
    if details["writeConcernErrors"] or any(item["code"] == _OUT_OF_SPACE for item in failures):
        raise StoreUnavailable("MongoDB could not put the documents on disk; see its free space.")
    return [
        Refused(item["op"]["_id"], f"MongoDB refused it: {item['errmsg']}") for item in failures
    ]
