"""What the stores hold of an agent, byte for byte, to be compared before and after."""

from typing import Any
from uuid import UUID

from pymongo import MongoClient

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    Evaluation,
    LogEntry,
    Memory,
    ProgressUpdate,
    Upload,
)
from storage.minio.describing import described
from storage.settings import Settings
from storage.stores import Stores

PNG = b"\x89PNG\r\n\x1a\n"
TABLES = ("tasks", "task_progress", "evaluations", "binary_file_metadata", "agents", "agent_keys")


def records_of(task: AgentTask, pictures: int = 3) -> list[AnyRecord]:
    """Records of every kind; the pictures of all tasks are the same."""
    about: dict[str, Any] = {"agent_id": task.agent_id, "task_id": task.id}
    return [
        task,
        *(ProgressUpdate(**about, step=step, message=f"step {step}") for step in range(4)),
        *(LogEntry(**about, message=f"said {number}") for number in range(5)),
        Memory(**about, content="worth knowing"),
        *(picture(task, PNG + b"%d" % number) for number in range(pictures)),
        file_of(task, b"%PDF a report"),
        Evaluation(**about, scorer="outcome", scorer_version="1", score=0.5),
    ]


def picture(task: AgentTask, content: bytes) -> Upload:
    """A screenshot of a task."""
    return _upload(task, content, Bucket.SCREENSHOTS)


def file_of(task: AgentTask, content: bytes) -> Upload:
    """A file of a task."""
    return _upload(task, content, Bucket.BINARIES)


def _upload(task: AgentTask, content: bytes, bucket: Bucket) -> Upload:
    file = described(content, bucket, agent_id=task.agent_id, task_id=task.id, metadata={})
    return Upload(file=file, content=content)


def kept(settings: Settings, agent_id: str, task_id: UUID | None = None) -> dict[str, Any]:
    """Every row, document and object of an agent, or of one of its tasks."""
    with Stores(settings) as stores:
        rows = {table: _rows(stores, table, agent_id, task_id) for table in TABLES}
        objects = {
            f"{bucket}/{info.path}": stores.minio.download(bucket, info.path)
            for bucket in Bucket
            for info in stores.minio.list(bucket, f"{agent_id}/{task_id or ''}")
        }
    return {
        "rows": {table: found for table, found in rows.items() if found},
        "documents": _documents(settings, agent_id, task_id),
        "objects": objects,
    }


NOTHING: dict[str, Any] = {"rows": {}, "documents": {}, "objects": {}}


def _rows(stores: Stores, table: str, agent_id: str, task_id: UUID | None) -> list[str]:
    of_task = "id" if table == "tasks" else "task_id"
    if task_id and table in {"agents", "agent_keys"}:
        return []
    condition = "agent_id = %s" + (f" AND {of_task} = %s" if task_id else "")
    told = [agent_id, task_id] if task_id else [agent_id]
    statement = f"SELECT t::text FROM {table} AS t WHERE {condition} ORDER BY 1"
    with stores.postgres.connection() as connection:
        return [str(row[0]) for row in connection.execute(statement.encode(), told)]


def _documents(settings: Settings, agent_id: str, task_id: UUID | None) -> dict[str, list[str]]:
    match = {"task_id": task_id} if task_id else {}
    with MongoClient[dict[str, Any]](
        settings.required("mongodb_url"), uuidRepresentation="standard"
    ) as client:
        database = client[f"agent_{agent_id}"]
        found = {
            name: sorted(str(document) for document in database[name].find(match))
            for name in database.list_collection_names()
        }
    return {name: documents for name, documents in found.items() if documents}
