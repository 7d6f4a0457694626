"""Arguments that are checked before a store hears of them, with errors in one sentence."""

from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from agentruns.models import AgentId
from agentruns.models.values import AGENT_ID_RULE, ObjectPath

#: More only wait for the connections that they share.
MOST_WORKERS = 16
#: More are not worth the round trips to PostgreSQL that each of their batches takes.
MOST_HELPERS = 64
_AGENT_ID: TypeAdapter[str] = TypeAdapter(AgentId)
_PATH: TypeAdapter[str] = TypeAdapter(ObjectPath)


def checked_agent_id(value: str) -> str:
    """The agent id.

    Raises:
        ValueError: when no agent can be called like this.
    """
    try:
        return _AGENT_ID.validate_python(value)
    except ValidationError:
        raise ValueError(f"{value!r} is not an agent id, which has {AGENT_ID_RULE}") from None


def checked_path(value: str) -> str:
    """The object's path.

    Raises:
        ValueError: when it could lead out of its prefix, or cannot be printed.
    """
    try:
        return _PATH.validate_python(value)
    except ValidationError as error:
        raise ValueError(reason_of(error)) from None


def checked_timezone(value: str) -> str:
    """The name of a time zone.

    Raises:
        ValueError: when there is none of this name.
    """
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise ValueError(
            f"{value!r} is no time zone; name one such as UTC or Europe/Berlin"
        ) from None
    return value


def checked_workers(value: int) -> int:
    """How many batches are done at a time.

    Raises:
        ValueError: when none is, or so many that they only wait for one another.
    """
    if not 1 <= value <= MOST_WORKERS:
        raise ValueError(f"1 to {MOST_WORKERS} workers can share one process")
    return value


def checked_helpers(value: int) -> int:
    """How many runs help another.

    Raises:
        ValueError: when it is no number of runs, or too many of them.
    """
    if not 0 <= value <= MOST_HELPERS:
        raise ValueError(f"0 to {MOST_HELPERS} runs can help")
    return value


def reason_of(error: ValidationError) -> str:
    """Why the first of the values was refused, without the value."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")
