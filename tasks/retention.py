"""The steps of applying retention: each is one call, and can be repeated."""

from datetime import datetime

from storage.retention import Policy, PolicyReport, Retaining, RetentionReport
from storage.retention.judging import Place
from tasks.retries import store_task


@store_task
def choose_policies(name: str | None) -> list[Policy]:
    """The policies that are enabled, or the one of this name."""
    with Retaining() as retaining:
        return retaining.chosen(name)


@store_task
def plan_retention(name: str | None) -> RetentionReport:
    """What would go, and why other tasks stay."""
    with Retaining() as retaining:
        return retaining.plan(name)


@store_task
def end_cut_off() -> None:
    """End the deletions that a kill or an outage left."""
    with Retaining() as retaining:
        retaining.end_cut_off()


@store_task
def apply_page(policy: Policy, now: datetime, after: Place) -> tuple[Place | None, PolicyReport]:
    """Delete what goes of the next tasks."""
    with Retaining() as retaining:
        return retaining.apply_page(policy, now, after)


@store_task
def prune(policy: Policy, now: datetime) -> PolicyReport:
    """Remove what goes of our own tables."""
    with Retaining() as retaining:
        return retaining.prune(policy, now)
