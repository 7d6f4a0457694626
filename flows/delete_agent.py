"""Delete an agent for good: its keys and everything that it recorded."""

from uuid import UUID

from prefect import flow
from prefect.artifacts import create_table_artifact

from agentruns.models.values import Record
from storage.arguments import checked_agent_id
from storage.deletion import STEPS, Counts
from tasks.deletion import begin_agent, only_one, plan_agent, take_step, verify


class AgentDeletion(Record):
    """What would go, or what went."""

    agent_id: str
    deletion_id: UUID | None = None
    found: Counts
    deleted: bool
    verified: bool
    """Whether a search in all three stores found nothing of it any more."""


@flow(flow_run_name="delete-{agent_id}", persist_result=False)
def delete_agent(agent_id: str, *, yes: bool = False) -> AgentDeletion:
    """Delete an agent for good; without `yes`, only say what would go.

    It may be killed at any point: the next run, or `finish-deletions`, ends it.

    Args:
        agent_id: Which agent.
        yes: Really delete it.
    """
    agent_id = checked_agent_id(agent_id)
    plan = plan_agent(agent_id)
    if not yes:
        result = AgentDeletion(
            agent_id=agent_id, found=plan.found, deleted=plan.verified, verified=plan.verified
        )
    else:
        result = _deleted(begin_agent(agent_id))
    _show(result)
    return result


def _deleted(deletion_id: UUID) -> AgentDeletion:
    with only_one(deletion_id):
        for step in STEPS[:-1]:
            take_step.with_options(task_run_name=step)(step, deletion_id)
        done = verify(deletion_id)
    return AgentDeletion(
        agent_id=done.agent_id,
        deletion_id=deletion_id,
        found=done.deleted,
        deleted=True,
        verified=done.verified,
    )


def _show(result: AgentDeletion) -> None:
    """Leave the table that people open in Prefect."""
    create_table_artifact(
        key="deletion",
        description="Deleted for good." if result.verified else "**Not deleted.**",
        table=[
            {"store": store, "what": name, "number": number}
            for store, told in result.found.items()
            for name, number in told.items()
        ],
    )
