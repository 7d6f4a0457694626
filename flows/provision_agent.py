"""Let an agent into the stores, or give it a new key."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from storage.arguments import checked_agent_id
from tasks.provisioning import Provisioned, let_in, renew


@flow(timeout_seconds=300, persist_result=False)
def provision_agent(
    agent_id: str,
    *,
    append_only: bool = False,
    rotate: bool = False,
    keep_hours: Annotated[float, Field(ge=0, le=24 * 365)] = 1.0,
    folder: str | None = None,
) -> Provisioned:
    """Let an agent into the three stores; harmless twice, and finished by a repeat.

    Its key goes into a file on the worker's machine that only the worker's user can read.

    Args:
        agent_id: Which agent.
        append_only: Let it add log entries, but neither change nor delete them.
        rotate: Give it a new key although it has one.
        keep_hours: For how long the old keys still open the stores then.
        folder: Where the worker keeps the file; `agents` in the home of agentruns by default.
    """
    agent_id = checked_agent_id(agent_id)
    if rotate:
        return renew(agent_id, keep_hours, folder)
    return let_in(agent_id, append_only, folder)
