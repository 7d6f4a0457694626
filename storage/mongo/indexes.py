"""The indexes of an agent's database: every list and count that we ask for has one."""

from pymongo import IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from storage.mongo.documents import LOGS, MEMORIES, Document

_UNAUTHORIZED = 13
_ORDER = [("created_at", -1), ("_id", -1)]

# An index also serves as one on its first field alone, so each is named after that field.
_COMMON = [
    IndexModel([("agent_id", 1)], name="agent_id"),
    IndexModel(_ORDER, name="created_at"),
]
_LOGS = [
    *_COMMON,
    IndexModel([("level", 1), *_ORDER], name="level"),
    # With the level at its end, log counts of a task are answered without reading a document.
    IndexModel([("task_id", 1), *_ORDER, ("level", 1)], name="task_id"),
]
_MEMORIES = [
    *_COMMON,
    IndexModel([("memory_type", 1), *_ORDER], name="memory_type"),
    IndexModel([("task_id", 1), *_ORDER, ("memory_type", 1)], name="task_id"),
]


def ensure_indexes(database: Database[Document]) -> None:
    """Create what is missing; an append-only agent may not, and got them when it was added."""
    try:
        database[LOGS].create_indexes(_LOGS)
        database[MEMORIES].create_indexes(_MEMORIES)
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
