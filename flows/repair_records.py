"""Mend what the checks find: first a plan, and only with `apply` what it says."""

from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from quality.checking import refuse_faulty
from storage.arguments import checked_agent_id
from storage.repair import TO_APPLY
from tasks.quality import ask_checks, find_checks, only_check, take_inventory
from tasks.repair import (
    apply_turn,
    cut_off_repair,
    finish_repair,
    only_repair,
    open_repair,
    plan_repair,
    read_plan,
    refuse_much,
)
from tasks.repair_report import RepairReport, as_markdown, left_of


@flow(persist_result=False)
def repair_records(
    *,
    apply: bool = False,
    agent_id: str | None = None,
    spool: str | None = None,
    grace_minutes: float = 60,
    many: bool = False,
) -> RepairReport:
    """Plan what to mend, register, put back and take aside; with `apply`, do it.

    Nothing is deleted, and nothing that is as it should be is changed. Killed at any point, the
    next run goes on where it stood.

    Args:
        apply: Do what is planned.
        agent_id: Only what is this agent's.
        spool: A spool on the worker's machine in which lost files may still lie.
        grace_minutes: An object that is younger than this may still get its row.
        many: Also where it takes a large part of all objects aside.
    """
    agent_id = None if agent_id is None else checked_agent_id(agent_id)
    with only_repair():
        repair_id = _planned(agent_id, spool, grace_minutes, apply=apply)
        if apply:
            if not many:
                refuse_much(repair_id)
            for turn in TO_APPLY:
                apply_turn(repair_id, turn, spool)
            finish_repair(repair_id)
        report = _report(repair_id, grace_minutes, applied=apply)
    create_markdown_artifact(key="repair", markdown=as_markdown(report))
    return report


def _planned(agent_id: str | None, spool: str | None, grace_minutes: float, *, apply: bool) -> UUID:
    """The plan of a repair that was cut off, else a new one as of this moment."""
    # Meanwhile no check takes the inventory away that it is made from.
    with only_check():
        repair_id = cut_off_repair(agent_id) if apply else None
        if repair_id is None:
            snapshot = take_inventory(grace_minutes)
            repair_id = open_repair(snapshot.id, agent_id, apply=apply)
        plan_repair(repair_id, spool)
    return repair_id


def _report(repair_id: UUID, grace_minutes: float, *, applied: bool) -> RepairReport:
    with only_check():
        if applied:
            take_inventory(grace_minutes)
        results = ask_checks(find_checks(None))
    refuse_faulty(results)
    plan = read_plan(repair_id)
    return RepairReport(
        repair_id=repair_id,
        applied=applied,
        passed=not any(result.closes_the_gate for result in results),
        counts=plan.counts,
        planned=plan.actions,
        left=left_of(tuple(results)),
    )
