"""What callers may say; anything else is a ValueError that names the argument and what it takes."""

import math
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from agentruns.models import AGENT_ID_PATTERN, ENDED, Status
from agentruns.models.values import AGENT_ID_RULE
from agentruns.spool.quota import LEAST_BYTES

Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_NAME = 500
CONTENT_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,120}/[A-Za-z0-9!#$&^_.+-]{1,120}(;[ -~]{1,200})?"
)


def as_agent_id(value: object) -> str:
    """The id of an agent."""
    if isinstance(value, str) and re.fullmatch(AGENT_ID_PATTERN, value):
        return value
    raise ValueError(f"agent_id must have {AGENT_ID_RULE}, not {_shown(value)}")


def as_uuid(name: str, value: object) -> UUID:
    """A UUID, also from its text."""
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise ValueError(f"{name} must be a UUID, not {_shown(value)}") from None


def as_choice(name: str, value: str, choices: type[Choice]) -> Choice:
    """One of the choices, also from its text."""
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"{name} must be {_one_of(choices)}, not {_shown(value)}") from None


def as_ending(value: str) -> Status:
    """A status in which nothing more is expected of a run."""
    endings = [status for status in Status if status in ENDED]
    if value in endings:
        return Status(value)
    raise ValueError(f"status must be {_one_of(endings)}, not {_shown(value)}")


def _one_of(choices: Iterable[str]) -> str:
    *most, last = choices
    return f"{', '.join(most)} or {last}"


def as_percent(value: object) -> float | None:
    """How much is done, where it is known."""
    if value is None or (_is_number(value) and 0 <= value <= 100):  # type: ignore[operator]  # a number
        return value  # type: ignore[return-value]  # a number or None
    raise ValueError(f"percent must be a number from 0 to 100 or None, not {_shown(value)}")


def as_step(value: object) -> int | None:
    """The number of a step."""
    if value is None or (type(value) is int and 0 <= value < 2**31):
        return value
    raise ValueError(f"step must be a whole number from 0 to {2**31 - 1}, not {_shown(value)}")


def as_seconds(name: str, value: object) -> float:
    """A time to wait."""
    if _is_number(value) and value >= 0:  # type: ignore[operator]  # a number
        return float(value)  # type: ignore[arg-type]  # a number
    raise ValueError(f"{name} must be a number of seconds, 0 or more, not {_shown(value)}")


def as_limit(value: object) -> int | None:
    """The most bytes that a spool may hold, None for as many as the disk has."""
    if value is None or (type(value) is int and value >= LEAST_BYTES):
        return value
    raise ValueError(
        f"max_bytes must be a whole number from {LEAST_BYTES} (1 MiB) or None, not {_shown(value)}"
    )


def as_name(name: str, value: object) -> str:
    """A short text that is not empty."""
    if isinstance(value, str) and value.strip() and len(value) <= LONGEST_NAME:
        return value
    raise ValueError(
        f"{name} must be a text of 1 to {LONGEST_NAME} characters, not {_shown(value)}"
    )


def as_content_type(value: object) -> str:
    """What a file is, in the words of HTTP."""
    if isinstance(value, str) and CONTENT_TYPE.fullmatch(value):
        return value
    raise ValueError(f"content_type must be like application/pdf, not {_shown(value)}")


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Metadata; what is no mapping is kept as the value of one."""
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else {"value": value}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    # The value may be a secret in the wrong place: its kind is enough where it is long.
    if isinstance(value, str | bytes) and len(value) > 40:
        return f"a {type(value).__name__} of length {len(value)}"
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
