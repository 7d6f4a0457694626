"""The values that records are made of, validated at the door."""

import math
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

#: `agent_` and 57 characters fill the 63 bytes that MongoDB allows a database's name and
#: PostgreSQL a role's; a longer id would collide with another by truncation.
AGENT_ID_PATTERN = r"[a-z0-9][a-z0-9_-]{0,56}"
AGENT_ID_RULE = (
    "1 to 57 small letters, digits, '-' or '_' and begins with a letter or digit, "
    "for example browser-1"
)

#: Deeper JSON is an attack or a mistake: MongoDB refuses documents nested deeper than 100.
MAX_JSON_DEPTH = 80


class Record(BaseModel):
    """A frozen model that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64")


def _as_utc(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC the time is not in the years 1 to 9999") from None
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _storable_text(value: str) -> str:
    if "\x00" in value:
        raise ValueError("text may not contain NUL characters, PostgreSQL refuses them")
    if value.isascii():  # most is, and it is told in no time
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("text may not contain lone surrogates, no store takes them") from None
    return value


def _agent_id(value: str) -> str:
    if not re.fullmatch(AGENT_ID_PATTERN, value):
        raise ValueError(f"an agent id has {AGENT_ID_RULE}")
    return value


def _fraction_not_percent(value: Any) -> Any:
    if isinstance(value, int | float) and 1 < value <= 100:
        raise ValueError(f"a score goes from 0 to 1; for {value:g} of 100 write {value / 100:g}")
    return value


def check_json(value: Any, depth: int = 0) -> None:
    """Accept JSON that PostgreSQL and MongoDB both store unchanged.

    Raises:
        ValueError: for NUL, lone surrogates, NaN, Infinity, integers beyond 64 bits, keys that
            are not text, nesting deeper than `MAX_JSON_DEPTH`, and types that JSON does not have.
    """
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        _storable_text(value)
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} does not fit the 64 bits of a stored integer")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("NaN and Infinity are not JSON")
    elif isinstance(value, (dict, list, tuple)):
        _check_container(value, depth + 1)
    else:
        raise ValueError(f"{type(value).__name__} is not JSON")  # noqa: TRY004 - pydantic catches it


def _check_container(value: Any, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is not text")  # noqa: TRY004 - pydantic catches it
            _storable_text(key)
        value = value.values()
    for item in value:
        check_json(item, depth)


def _storable_json(value: dict[str, Any]) -> dict[str, Any]:
    check_json(value)
    return value


def _plain_name(value: str) -> str:
    path = PurePosixPath(value)
    if "\\" in value or path.is_absolute() or str(path) != value or ".." in path.parts:
        raise ValueError(r"an object path has plain parts: no '..', '//', '\' or leading '/'")
    if not value.isprintable() or value.isspace():
        raise ValueError("an object path has printable characters only")
    if len(value.encode()) > 1024:
        raise ValueError("an object path has at most 1,024 bytes")
    return value


AgentId: TypeAlias = Annotated[str, AfterValidator(_agent_id)]
Text: TypeAlias = Annotated[str, AfterValidator(_storable_text)]
Name: TypeAlias = Annotated[Text, Field(min_length=1, max_length=500)]
JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_storable_json)]
UtcTime: TypeAlias = Annotated[AwareDatetime, AfterValidator(_as_utc)]
#: Place among everything its recorder said about the task, from 1; a gap is an event that did not
#: arrive. None where nobody counted.
Ordinal: TypeAlias = Annotated[int | None, Field(ge=1, lt=2**63)]
Percent: TypeAlias = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Score: TypeAlias = Annotated[
    float, BeforeValidator(_fraction_not_percent), Field(ge=0, le=1, allow_inf_nan=False)
]
ObjectPath: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_plain_name)]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
