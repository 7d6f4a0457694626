"""MongoDB's marker of the environment: a document that everybody reads, the operator writes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pymongo
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from storage.marker import Marker, told
from storage.mongo.clients import Clients, address
from storage.mongo.documents import Document

#: Every user may read this database; there is nothing else in it.
DATABASE = "agentruns"
_COLLECTION, _ID = "installation", "environment"
_UNAUTHORIZED = 13


def marker_of(client: MongoClient[Document], url: str) -> Marker | None:
    """What a cluster says of itself; None where it is not marked, or this user may not know.

    A key from before there were markers may not; it goes on as it did.
    """
    try:
        found = client[DATABASE][_COLLECTION].find_one({"_id": _ID}, {"_id": 0})
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        return None
    return told(f"MongoDB at {address(url)}", found) if found is not None else None


class MarkedMongo:
    """The marker on one cluster, as its administrator, or to be read as anybody."""

    def __init__(self, url: str, seconds: float) -> None:
        self.name = f"MongoDB at {address(url)}"
        self._url = url
        self._seconds = seconds
        self._clients = Clients(limit=1)

    def read(self) -> Marker | None:
        """What it says; None before it is marked."""
        with self._client() as client:
            return marker_of(client, self._url)

    def keep(self, marker: Marker) -> None:
        """Mark it, unless it is marked."""
        with self._collection() as collection:
            try:
                collection.insert_one(_document(marker))
            except DuplicateKeyError:
                return

    def rename(self, marker: Marker) -> None:
        """Let it belong to the marker's environment, marked or not."""
        with self._collection() as collection:
            collection.replace_one({"_id": _ID}, _document(marker), upsert=True)

    @contextmanager
    def _collection(self) -> Iterator[Collection[Document]]:
        with self._client() as client:
            yield client[DATABASE][_COLLECTION]

    @contextmanager
    def _client(self) -> Iterator[MongoClient[Document]]:
        try:
            with pymongo.timeout(self._seconds), self._clients.lease(self._url) as client:
                yield client
        finally:
            # It is asked once in a while.
            self._clients.close()


def _document(marker: Marker) -> Document:
    return {"_id": _ID, **marker.model_dump()}
