"""Sources that Prefect keeps in step: a deployment each, with a schedule and parameters of its own.

The deployments of prefect.yaml stay as they are, and applying them again touches none of these.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound

from agentruns.models import imported_id
from agentruns.models.values import Record
from storage.errors import RecordNotFound, SettingsError

FLOW = "migrate-trajectories"
ON_DEMAND = f"{FLOW}/on-demand"
TAG = "agentruns-in-step"
_PAGE = 200


class InStep(Record):
    """A source and when it is looked at."""

    migration_id: UUID
    deployment: str
    source: str
    agent_id: str
    every_seconds: float | None = None
    cron: str | None = None
    """In UTC."""


def keep_in_step(
    source: str, agent_id: str, when: timedelta | str, options: dict[str, Any]
) -> InStep:
    """Have a source migrated again and again; said anew, the new schedule replaces the old one.

    Args:
        source: as the worker's machine names it.
        agent_id: whose records its runs become.
        when: how often, or a line of cron in UTC.
        options: further parameters of the flow.

    Raises:
        RecordNotFound: when the flows were not deployed.
        SettingsError: when the line of cron is none.
    """
    made = imported_id("migration", source, agent_id)
    name = f"in-step-{made}"
    with get_client(sync_client=True) as client:
        base = _on_demand(client)
        client.create_deployment(
            **_like(base),
            name=name,
            description=f"Keeps {source} in step; 'agentruns migrate schedule --list' shows all.",
            parameters={"source": source, "agent_id": agent_id, **options},
            schedules=[DeploymentScheduleCreate(schedule=_schedule(when), slug="in-step")],
            tags=["agentruns", "migration", TAG],
            # A run that is still at work when the next one is due makes that one needless.
            concurrency_limit=1,
            concurrency_options=ConcurrencyOptions(
                collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
            ),
        )
        return _told(client.read_deployment_by_name(f"{FLOW}/{name}"))


def kept_in_step() -> list[InStep]:
    """Every source that is kept in step."""
    with get_client(sync_client=True) as client:
        return [_told(one) for one in _all(client)]


def leave(source: str, agent_id: str | None) -> list[InStep]:
    """Keep a source in step no longer; gives what was ended."""
    with get_client(sync_client=True) as client:
        found = [
            one
            for one in _all(client)
            if one.parameters.get("source") == source
            and agent_id in {None, one.parameters.get("agent_id")}
        ]
        for one in found:
            client.delete_deployment(one.id)
    return [_told(one) for one in found]


def _on_demand(client: SyncPrefectClient) -> DeploymentResponse:
    try:
        return client.read_deployment_by_name(ON_DEMAND)
    except ObjectNotFound:
        raise RecordNotFound(
            f"Prefect does not know {ON_DEMAND}: 'agentruns deploy' gives it the flows."
        ) from None


def _like(base: DeploymentResponse) -> dict[str, Any]:
    return {
        name: getattr(base, name)
        for name in (
            *("flow_id", "entrypoint", "path", "pull_steps", "work_pool_name", "work_queue_name"),
            *("parameter_openapi_schema", "enforce_parameter_schema", "job_variables", "version"),
        )
    }


def _schedule(when: timedelta | str) -> CronSchedule | IntervalSchedule:
    if isinstance(when, timedelta):
        return IntervalSchedule(interval=when)
    try:
        return CronSchedule(cron=when, timezone="UTC")
    except ValueError:
        raise SettingsError(
            f"{when!r} is no line of cron: it has five parts, such as '*/15 * * * *'."
        ) from None


def _all(client: SyncPrefectClient) -> list[DeploymentResponse]:
    wanted = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(deployment_filter=wanted, limit=_PAGE, offset=len(found)):
        found += page
    return sorted(found, key=lambda one: one.name)


def _told(deployment: DeploymentResponse) -> InStep:
    schedule = deployment.schedules[0].schedule if deployment.schedules else None
    every = schedule.interval if isinstance(schedule, IntervalSchedule) else None
    return InStep(
        migration_id=UUID(deployment.name.removeprefix("in-step-")),
        deployment=f"{FLOW}/{deployment.name}",
        source=deployment.parameters["source"],
        agent_id=deployment.parameters["agent_id"],
        every_seconds=every.total_seconds() if every else None,
        cron=schedule.cron if isinstance(schedule, CronSchedule) else None,
    )
