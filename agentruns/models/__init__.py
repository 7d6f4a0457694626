"""The words: frozen models of everything that is kept, their ids and their clock."""

from agentruns.models.clock import utcnow
from agentruns.models.evaluation import Evaluation
from agentruns.models.file import Bucket, MissingFile, StoredFile, Upload, object_path
from agentruns.models.health import Health
from agentruns.models.ids import imported_id, new_id, new_ids
from agentruns.models.log import Level, LogEntry, Memory
from agentruns.models.page import Page
from agentruns.models.status import ENDED, MAY_FOLLOW, Status, may_become
from agentruns.models.task import AgentTask, ProgressUpdate
from agentruns.models.values import AGENT_ID_PATTERN, AgentId, check_json

#: Everything a record writer takes.
AnyRecord = AgentTask | ProgressUpdate | LogEntry | Memory | Upload | Evaluation

__all__ = [
    "AGENT_ID_PATTERN",
    "ENDED",
    "MAY_FOLLOW",
    "AgentId",
    "AgentTask",
    "AnyRecord",
    "Bucket",
    "Evaluation",
    "Health",
    "Level",
    "LogEntry",
    "Memory",
    "MissingFile",
    "Page",
    "ProgressUpdate",
    "Status",
    "StoredFile",
    "Upload",
    "check_json",
    "imported_id",
    "may_become",
    "new_id",
    "new_ids",
    "object_path",
    "utcnow",
]
