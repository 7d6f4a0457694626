"""What users may type where an id, a time or a number is due; anything else is wrong usage."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter

from apps.cli.terminal import Terminal

BILLION = 1_000_000_000
#: A spool below this would be full of its own bookkeeping.
LEAST_SIZE = 16 * 1024**2
SIZES = {"M": 1024**2, "G": 1024**3, "T": 1024**4}
#: A week.
MOST_SECONDS = 7 * 24 * 3600
#: A year.
MOST_HOURS = 365 * 24
MOST_MINUTES = 7 * 24 * 60
#: A century.
MOST_DAYS = 36_500
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def check_agent_id(_: Any, value: str | None) -> None:
    """Refuse what is not an agent id, with the rule in words."""
    # Late: the rule lives with the models, and pydantic takes longer than `--version` may.
    from agentruns.models.values import AGENT_ID_PATTERN, AGENT_ID_RULE

    if value is not None and not re.fullmatch(AGENT_ID_PATTERN, value):
        raise ValueError(f"An agent id has {AGENT_ID_RULE}.")


def check_status(_: Any, value: str | None) -> None:
    """Refuse what is not a status, and name those that are."""
    # Late: see above.
    from agentruns.models import Status

    if value is not None and value not in set(Status):
        raise ValueError(f"Choose one of {', '.join(Status)}.")


def check_uuid(_: Any, value: str | None) -> None:
    """Refuse what is not a UUID."""
    try:
        UUID(value or str(UUID(int=0)))
    except ValueError:
        raise ValueError(
            "A task id is a UUID as 'agentruns tasks list' prints it, for example "
            "01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11."
        ) from None


def check_migration_id(_: Any, value: str) -> None:
    """Refuse what is not a UUID."""
    try:
        UUID(value)
    except ValueError:
        raise ValueError(
            "A migration's id is a UUID as 'agentruns migrate list' prints it."
        ) from None


def check_run_id(_: Any, value: str | None) -> None:
    """Refuse what is not a UUID."""
    try:
        UUID(value or str(UUID(int=0)))
    except ValueError:
        raise ValueError(
            "The id of a check is a UUID as 'agentruns check quality --json' prints it."
        ) from None


def check_limit(_: Any, value: int | None) -> None:
    """Refuse a page without items, and one without end."""
    # Late: the bound lives with the stores.
    from storage.paging import MOST

    if value is not None and not 1 <= value <= MOST:
        raise ValueError(f"Choose 1 to {MOST}.")


def check_positive(_: Any, value: int | None) -> None:
    """Refuse zero and less, and what no counter of ours holds."""
    if value is not None and not 1 <= value <= BILLION:
        raise ValueError("Choose 1 or more, at most a billion.")


def check_attempts(_: Any, value: int) -> None:
    """Refuse no attempt, and attempts without end."""
    # Late: it brings pydantic.
    from agentruns.commands.plan import MOST_ATTEMPTS

    if not 1 <= value <= MOST_ATTEMPTS:
        raise ValueError(f"Choose 1 to {MOST_ATTEMPTS}.")


def check_utf8(_: Any, value: str | Sequence[str | Path] | None) -> None:
    """Refuse bytes that are not UTF-8: no flow takes them."""
    for part in [value] if isinstance(value, str) else value or ():
        try:
            str(part).encode()
        except UnicodeEncodeError:
            raise ValueError(
                "It holds bytes that are not UTF-8; put what needs them in a script."
            ) from None


def check_scorers(_: Any, value: list[str] | None) -> None:
    """Refuse a scorer that does not exist, and name those that do."""
    # Late: scorers bring pydantic.
    from agentruns.scoring import SCORERS

    if not SCORERS.keys() >= set(value or ()):
        raise ValueError(f"Choose from {', '.join(sorted(SCORERS))}.")


def check_seconds(_: Any, value: float) -> None:
    """Refuse a time that is none, and one without end."""
    if not 0 <= value <= MOST_SECONDS:
        raise ValueError(f"Choose 0 to {MOST_SECONDS} seconds.")


def check_hours(_: Any, value: float) -> None:
    """Refuse a time that is none, and one without end."""
    if not 0 <= value <= MOST_HOURS:
        raise ValueError(f"Choose 0 to {MOST_HOURS} hours.")


def check_minutes(_: Any, value: float) -> None:
    """Refuse a time that is none, and one without end."""
    if not 0 <= value <= MOST_MINUTES:
        raise ValueError(f"Choose 0 to {MOST_MINUTES} minutes.")


def check_days(_: Any, value: int) -> None:
    """Refuse a term that is none, and one that nobody lives to see."""
    if not 1 <= value <= MOST_DAYS:
        raise ValueError(f"Choose 1 to {MOST_DAYS} days.")


def check_workers(_: Any, value: int | None) -> None:
    """Refuse no worker, and more than share one process well."""
    # Late: the bound lives with the stores.
    from storage.arguments import MOST_WORKERS

    if value is not None and not 1 <= value <= MOST_WORKERS:
        raise ValueError(f"Choose 1 to {MOST_WORKERS}.")


def check_fan_out(_: Any, value: int | None) -> None:
    """Refuse less than nobody, and more than a migration has use for."""
    # Late: the bound lives with the stores.
    from storage.arguments import checked_helpers

    if value is not None:
        checked_helpers(value)


def check_mb_per_s(_: Any, value: float | None) -> None:
    """Refuse a limit that lets nothing pass, and one that limits nothing."""
    # Late: see above.
    from storage.pace import LEAST_MB_PER_S, MOST_MB_PER_S

    if value is not None and not LEAST_MB_PER_S <= value <= MOST_MB_PER_S:
        raise ValueError(f"Choose {LEAST_MB_PER_S:g} to {MOST_MB_PER_S:g} megabytes a second.")


def check_subset(_: Any, value: str | None) -> None:
    """Refuse what is no part of a whole."""
    # Late: the rule lives with the stores.
    from storage.deep.models import scope_of

    if value is not None:
        scope_of(subset=value)


def check_size(_: Any, value: str | None) -> None:
    """Refuse what `bytes_of` cannot read, and what is too small for anything."""
    if (size := bytes_of(value)) is not None and size < LEAST_SIZE:
        raise ValueError("Choose 16M or more.")


def bytes_of(text: str | None) -> int | None:
    """A size as people write it: `500M` or `2G`, in powers of 1024.

    Raises:
        ValueError: when it is none.
    """
    if text is None:
        return None
    if not (size := re.fullmatch(r"([0-9]{1,6})([MGT])B?", text.upper())):
        raise ValueError("A size is a number of megabytes, gigabytes or terabytes: 500M, 2G, 1T.")
    return int(size[1]) * SIZES[size[2]]


def check_time(_: Any, value: str | None) -> None:
    """Refuse what `moment` cannot read."""
    if value is not None:
        moment(value, datetime.now(UTC))


def moment(text: str, now: datetime) -> datetime:
    """A time as people write it: an age such as `2h` or `7d`, or an ISO 8601 time, UTC by default.

    Raises:
        ValueError: when it is neither.
    """
    if age := re.fullmatch(r"([0-9]{1,5})([mhdw])", text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "A time is an age such as 30m, 2h, 7d or 4w, or an ISO time such as 2026-11-23T10:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


#: Where to print: no option, handed over by whoever runs the command.
GivenTerminal = Annotated[Terminal, Parameter(parse=False)]
#: An option that is said or not said.
Flag = Annotated[bool, Parameter(show_default=False)]
AgentIdOption = Annotated[str, Parameter(validator=check_agent_id, env_var="AGENT_ID")]
AgentId = Annotated[str, Parameter(validator=check_agent_id)]
AgentIdFilter = Annotated[str | None, Parameter(validator=check_agent_id)]
StatusFilter = Annotated[str | None, Parameter(validator=check_status)]
TaskId = Annotated[str, Parameter(validator=check_uuid)]
MigrationId = Annotated[str, Parameter(validator=check_migration_id)]
QualityRunId = Annotated[str, Parameter(validator=check_run_id)]
TaskIdFilter = Annotated[str | None, Parameter(validator=check_uuid)]
TaskIdOption = Annotated[str | None, Parameter(validator=check_uuid)]
Seconds = Annotated[float, Parameter(validator=check_seconds)]
Hours = Annotated[float, Parameter(validator=check_hours)]
Minutes = Annotated[float, Parameter(validator=check_minutes)]
Days = Annotated[int, Parameter(validator=check_days)]
Size = Annotated[str | None, Parameter(validator=check_size)]
PageLimit = Annotated[int, Parameter(validator=check_limit)]
Attempts = Annotated[int, Parameter(validator=check_attempts)]
PlainText = Annotated[str, Parameter(validator=check_utf8)]
Folders = Annotated[list[Path] | None, Parameter(validator=check_utf8)]
Positive = Annotated[int, Parameter(validator=check_positive)]
Workers = Annotated[int | None, Parameter(validator=check_workers)]
FanOut = Annotated[int | None, Parameter(validator=check_fan_out)]
MbPerSecond = Annotated[float | None, Parameter(name="--max-mb-per-s", validator=check_mb_per_s)]
PositiveOrAll = Annotated[int | None, Parameter(validator=check_positive)]
ScorerNames = Annotated[list[str] | None, Parameter(validator=check_scorers)]
Subset = Annotated[str | None, Parameter(validator=check_subset)]
Since = Annotated[str | None, Parameter(validator=check_time)]
