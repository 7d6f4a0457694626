"""What callers may filter by, checked before it reaches a query."""

from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from agentruns.models import AgentId, Bucket, Status
from agentruns.models.values import Text
from storage.arguments import reason_of

_KINDS: dict[str, TypeAdapter[Any]] = {
    "agent_id": TypeAdapter(AgentId),
    "bucket": TypeAdapter(Bucket),
    "content_type": TypeAdapter(Text),
    "scorer": TypeAdapter(Text),
    "scorer_version": TypeAdapter(Text),
    "status": TypeAdapter(Status),
    "task_id": TypeAdapter(UUID),
    "id": TypeAdapter(UUID),
}


def checked(**filters: Any) -> dict[str, Any]:
    """The filters as a query takes them; None stays None, which filters nothing.

    Raises:
        ValueError: when one can match nothing; it names the filter and the reason.
    """
    return {
        name: None if value is None else _checked(name, value) for name, value in filters.items()
    }


def _checked(name: str, value: Any) -> Any:
    try:
        return _KINDS[name].validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{name} is not valid: {reason_of(error)}") from None
