"""The steps of a repair: each is one call with ids, and can be repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from storage.repair import Repairing, RepairStore, Turn
from storage.stores import shared_stores
from tasks.repair_report import MOST_TOLD, RepairPlan
from tasks.retries import store_task


@contextmanager
def only_repair() -> Iterator[None]:
    """Be the only one who repairs these stores while this lasts."""
    with RepairStore(shared_stores().postgres).only_run():
        yield


@store_task
def cut_off_repair(agent_id: str | None) -> UUID | None:
    """The repair that was begun lately, and killed."""
    found = RepairStore(shared_stores().postgres).cut_off(agent_id)
    return found.id if found else None


@store_task
def open_repair(snapshot_id: UUID, agent_id: str | None, *, apply: bool) -> UUID:
    """Begin a repair, or only its plan; returns its id."""
    return Repairing(shared_stores()).open(snapshot_id, agent_id, apply=apply).id


@store_task
def plan_repair(repair_id: UUID, spool: str | None) -> None:
    """Decide about everything that a check would find."""
    Repairing(shared_stores(), Path(spool) if spool else None).plan(repair_id)


@store_task
def refuse_much(repair_id: UUID) -> None:
    """Stop where a large part of the objects would be taken aside."""
    Repairing(shared_stores()).refuse_much(repair_id)


@store_task
def apply_turn(repair_id: UUID, turn: Turn, spool: str | None) -> None:
    """Do one kind of what is planned."""
    Repairing(shared_stores(), Path(spool) if spool else None).do(repair_id, turn)


@store_task
def finish_repair(repair_id: UUID) -> None:
    """Note that everything is done."""
    RepairStore(shared_stores().postgres).finish(repair_id)


@store_task
def read_plan(repair_id: UUID) -> RepairPlan:
    """What is planned, and what came of it: all numbers, and the first actions."""
    store = RepairStore(shared_stores().postgres)
    return RepairPlan(
        counts=store.counts(repair_id), actions=tuple(store.page(repair_id, MOST_TOLD))
    )
