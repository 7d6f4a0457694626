"""Everything that the stores hold of an agent, read past our own reading code."""

import hashlib
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import namedtuple_row
from pymongo import MongoClient

from storage.settings import Settings
from storage.stores import Stores


class Found(NamedTuple):
    """An event as a store holds it."""

    kind: str
    id: UUID
    task_id: UUID
    words: str
    sequence: int
    at: Any


def raw_mongo(settings: Settings) -> MongoClient[dict[str, Any]]:
    """MongoDB as its driver shows it."""
    return MongoClient(
        settings.required("mongodb_url"), uuidRepresentation="standard", tz_aware=True
    )


class Kept:
    """Everything that the stores hold of one agent."""

    def __init__(self, stores: Stores, agent_id: str) -> None:
        self._stores = stores
        self._agent_id = agent_id
        self.tasks = {row.id: row for row in self._rows("SELECT * FROM tasks WHERE agent_id = %s")}
        self.files = self._rows("SELECT * FROM binary_file_metadata WHERE agent_id = %s")
        self.progress = self._rows("SELECT * FROM task_progress WHERE agent_id = %s")
        self.said = self._documents()

    def events(self) -> list[Found]:
        updates = (
            Found("progress", row.id, row.task_id, row.message, row.sequence, row.timestamp)
            for row in self.progress
        )
        return [*self.said, *updates, *map(_found_file, self.files)]

    def rows_without_object(self) -> list[str]:
        """Rows whose object is not there, or is another."""
        digests = {
            (bucket, found.path): self._digest(bucket, found.path)
            for bucket in ("screenshots", "binaries")
            for found in self._stores.minio.list(bucket, f"{self._agent_id}/")
        }
        return [
            row.object_path
            for row in self.files
            if digests.get((row.bucket, row.object_path)) != row.sha256
        ]

    def _digest(self, bucket: str, path: str) -> str:
        return hashlib.sha256(self._stores.minio.download(bucket, path)).hexdigest()

    def _rows(self, statement: str) -> list[Any]:
        with self._stores.postgres.connection() as connection:
            cursor = connection.cursor(row_factory=namedtuple_row)
            return cursor.execute(statement.encode(), [self._agent_id]).fetchall()

    def _documents(self) -> list[Found]:
        with raw_mongo(self._stores.settings) as client:
            database = client[f"agent_{self._agent_id}"]
            logs = database["agent_logs"].find()
            return [_found("log", each, "message") for each in logs] + [
                _found("memory", each, "content") for each in database["agent_memories"].find()
            ]


def _found(kind: str, document: dict[str, Any], words: str) -> Found:
    return Found(
        kind,
        document["_id"],
        document["task_id"],
        document[words],
        document["sequence"],
        document["created_at"],
    )


def _found_file(row: Any) -> Found:
    kind = "screenshot" if row.bucket == "screenshots" else "file"
    return Found(kind, row.id, row.task_id, row.metadata["words"], row.sequence, row.uploaded_at)
