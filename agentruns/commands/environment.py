"""What a recorded command gets to know, and what it must not."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

#: Ours: the addresses and credentials of the stores, also where they are kept in files.
SECRET_NAMES = frozenset(
    f"{name}{suffix}"
    for name in (
        *("MONGODB_URL", "MONGODB_CLUSTERS", "POSTGRES_URL", "POSTGRES_OWNER_URL"),
        *("AGENTRUNS_ENV", "AGENTRUNS_EVALUATOR_ENV", "AGENTRUNS_FRONTEND_ENV"),
    )
    for suffix in ("", "_FILE")
)
#: `PREFECT__` names the flow run around the command; a flow inside it is not that run.
SECRET_PREFIXES = ("MINIO_", "PREFECT_API_", "PREFECT_SERVER_", "PREFECT__")


def child_environment(
    environment: Mapping[str, str], agent_id: str, task_id: UUID, spool: Path
) -> dict[str, str]:
    """The environment without our credentials, and with what a recorder needs to join the task."""
    allowed = {name: value for name, value in environment.items() if not _is_ours(name)}
    return allowed | {
        "AGENT_ID": agent_id,
        "AGENTRUNS_TASK_ID": str(task_id),
        "AGENTRUNS_SPOOL": str(spool),
        # A delivery that it started would know no store, and stand in the way of ours.
        "AGENTRUNS_DELIVER": "0",
    }


def _is_ours(name: str) -> bool:
    # Settings are found in any case.
    upper = name.upper()
    return upper in SECRET_NAMES or upper.startswith(SECRET_PREFIXES)
