"""What a recorded command gets to know, and what it must not."""

from collections.abc import Mapping
from uuid import UUID

#: Ours: the addresses and credentials of the stores, also where they are kept in files.
SECRET_NAMES = frozenset(
    f"{name}{suffix}"
    for name in ("MONGODB_URL", "MONGODB_CLUSTERS", "POSTGRES_URL", "AGENTRUNS_ENV")
    for suffix in ("", "_FILE")
)
#: `PREFECT__` names the flow run around the command; a flow inside it is not that run.
SECRET_PREFIXES = ("MINIO_", "PREFECT_API_", "PREFECT_SERVER_", "PREFECT__")


def child_environment(
    environment: Mapping[str, str], agent_id: str, task_id: UUID
) -> dict[str, str]:
    """The environment without our credentials, and with the task that is being recorded."""
    allowed = {name: value for name, value in environment.items() if not _is_ours(name)}
    return allowed | {"AGENT_ID": agent_id, "AGENTRUNS_TASK_ID": str(task_id)}


def _is_ours(name: str) -> bool:
    # Settings are found in any case.
    upper = name.upper()
    return upper in SECRET_NAMES or upper.startswith(SECRET_PREFIXES)
