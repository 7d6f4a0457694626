"""Records as MongoDB keeps them, and back."""

import logging
from typing import Any, TypeVar

from pydantic import ValidationError

from agentruns.models import LogEntry, Memory

Document = dict[str, Any]
Model = TypeVar("Model", LogEntry, Memory)

_LOGGER = logging.getLogger(__name__)

LOGS = "agent_logs"
MEMORIES = "agent_memories"


# Literals, because `model_dump` costs three times what the driver needs to send the document.
def log_document(entry: LogEntry) -> Document:
    """The document of a log entry, `_id` its own id, so that a repeated insert changes nothing."""
    document = {
        "_id": entry.id,
        "agent_id": entry.agent_id,
        "task_id": entry.task_id,
        "level": entry.level.value,
        "message": entry.message,
        "data": entry.data,
        "created_at": entry.created_at,
    }
    return _numbered(document, entry.sequence)


def memory_document(memory: Memory) -> Document:
    """The document of a memory, `_id` its own id."""
    document = {
        "_id": memory.id,
        "agent_id": memory.agent_id,
        "task_id": memory.task_id,
        "memory_type": memory.memory_type,
        "content": memory.content,
        "data": memory.data,
        "created_at": memory.created_at,
    }
    return _numbered(document, memory.sequence)


def _numbered(document: Document, sequence: int | None) -> Document:
    # Left out where nobody counted, as in the documents of before.
    return document if sequence is None else document | {"sequence": sequence}


def models_of(kind: type[Model], documents: list[Document]) -> tuple[Model, ...]:
    """The records in these documents; what is none (an agent may write anything) is left out."""
    models = (_model(kind, document) for document in documents)
    return tuple(model for model in models if model is not None)


def _model(kind: type[Model], document: Document) -> Model | None:
    fields = {("id" if name == "_id" else name): value for name, value in document.items()}
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        _LOGGER.warning(
            "The document %r is not a %s (%d problems) and is left out.",
            document.get("_id"),
            kind.__name__,
            error.error_count(),
        )
        return None
