"""What goes by policies, what stays and why, and what is held."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agentruns.models import AgentTask, Evaluation, new_id, utcnow
from storage.access import AuditLog
from storage.deletion import Deleting
from storage.errors import RecordNotFound, RecordRejected, TaskHeld
from storage.migration import MigrationStore
from storage.retention import Holds, Kind, Policies, Policy, PolicyReport, Retaining
from storage.retention.retaining import BATCH
from storage.settings import Settings
from storage.stores import Stores
from tests.aged import aged, stored
from tests.integration.test_cli import Run, run
from tests.integration.test_deletion import copied, inventory, source
from tests.kept import NOTHING, kept
from tests.own_spool import own_spool

__all__ = ["own_spool", "run", "source"]  # fixtures of other files


@pytest.fixture
def retaining(settings: Settings) -> Iterator[Retaining]:
    with Retaining(settings) as retaining:
        yield retaining


@pytest.fixture
def holds(stores: Stores) -> Holds:
    return Holds(stores.postgres)


def put(stores: Stores, name: str = "old", days: int = 30, **about: Any) -> Policy:
    policy = Policy(name=name, older_than=timedelta(days=days), **about)
    Policies(stores.postgres).put(policy)
    return policy


def only(retaining: Retaining, name: str = "old") -> PolicyReport:
    (report,) = retaining.plan(name).policies
    return report


def why_kept(report: PolicyReport) -> dict[str, int]:
    return {one.reason: one.tasks for one in report.kept}


def test_what_is_old_goes_and_nothing_else(
    settings: Settings, stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    gone = aged(stores, agent_id, 40, 3)
    young = aged(stores, agent_id, 20)
    other = aged(stores, f"{agent_id}x", 40)
    running = AgentTask(
        agent_id=agent_id, title="runs", status="in_progress", created_at=utcnow() - timedelta(400)
    )
    stores.postgres.store_rows(tasks=[running])
    stored(stores, [running], 400)
    before = kept(settings, agent_id, young[0].id), kept(settings, other[0].agent_id)
    put(stores, agents=agent_id)

    planned = retaining.plan()
    assert (planned.applied, planned.verified) == (False, False)
    assert stores.postgres.get_task(gone[0].id)
    done = retaining.apply()

    assert done.verified
    assert planned.totals == done.totals
    assert done.totals == {
        "tasks": 3,
        "rows": 30,
        "documents": 18,
        "objects": 12,
        "size_bytes": 3 * (3 * 9 + 13),
    }
    assert why_kept(done.policies[0]) == why_kept(planned.policies[0]) == {"too young": 1}
    assert done.policies[0].first == tuple(sorted(task.id for task in gone))
    for task in gone:
        assert kept(settings, agent_id, task.id) == NOTHING
    assert before == (kept(settings, agent_id, young[0].id), kept(settings, other[0].agent_id))
    assert stores.postgres.get_task(running.id)
    assert retaining.apply().totals["tasks"] == 0  # again changes nothing


def test_what_arrived_lately_is_young_whenever_it_ended(
    stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    (task,) = aged(stores, agent_id, 40)
    put(stores, agents=agent_id)
    assert only(retaining).tasks == 1
    stores.postgres.add_progress_update(task.id, agent_id, 50.0, "late")
    assert why_kept(only(retaining)) == {"too young": 1}


def test_each_reason_to_keep_a_task_is_told(
    stores: Stores, retaining: Retaining, holds: Holds, agent_id: str
) -> None:
    aged(stores, agent_id, 40)
    aged(stores, agent_id, 20)
    holds.hold(aged(stores, agent_id, 40)[0].id, "evidence")
    aged(stores, agent_id, 40, metadata={"tags": ["hold"]})
    aged(stores, agent_id, 40, metadata={"tags": ["golden", "x"]})
    aged(stores, agent_id, 40, status="failed")
    (low,) = aged(stores, agent_id, 40)
    stores.postgres.create_evaluation(
        task_id=low.id, agent_id=agent_id, scorer="mine", scorer_version="1", score=0.1
    )
    put(
        stores,
        agents=agent_id,
        statuses=("completed",),
        keep_below=0.2,
        scorer="mine",
        keep_tagged=("golden",),
    )

    report = only(retaining)

    assert report.tasks == 1
    assert why_kept(report) == dict.fromkeys(
        ("too young", "held", "tagged hold", "tagged", "scored low"), 1
    )


def test_the_newest_of_each_agent_stay_however_old(
    stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    tasks = aged(stores, agent_id, 40, 4)
    others = aged(stores, f"{agent_id}x", 40, 2)
    put(stores, agents=f"{agent_id}*", keep_last=3)
    report = only(retaining)
    assert report.first == (tasks[0].id,)
    assert why_kept(report) == {"among the newest": 3 + len(others)}


def test_a_better_verdict_that_came_later_counts(
    stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    (task,) = aged(stores, agent_id, 40)
    put(stores, agents=agent_id, keep_below=0.2)
    about = {"task_id": task.id, "agent_id": agent_id, "scorer": "mine"}
    for version, score in (("1", 0.1), ("2", 0.9)):
        verdict = Evaluation(scorer_version=version, score=score, **about)
        stores.postgres.store_rows(evaluations=[verdict])
    assert only(retaining).tasks == 1


def test_a_pattern_means_the_agents_that_it_names(
    stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    for name in (f"{agent_id}_a", f"{agent_id}xa", f"{agent_id}_ab"):
        aged(stores, name, 40)
    for pattern, number in ((f"{agent_id}_a", 1), (f"{agent_id}?a", 2), (f"{agent_id}_*", 2)):
        put(stores, agents=pattern)
        assert only(retaining).tasks == number


def test_runs_of_a_migration_stay_until_it_is_cut_over(
    stores: Stores, retaining: Retaining, agent_id: str, source: Path
) -> None:
    store = MigrationStore(stores.postgres)
    migration = inventory(store, source, agent_id)
    copied(stores, store, migration)
    tasks = stores.postgres.get_tasks(agent_id=agent_id).items
    stored(stores, tasks, 400)
    put(stores, agents=agent_id, days=1)
    assert why_kept(only(retaining)) == {"its migration is not cut over": len(tasks)}

    store.note_cutover(migration.id, "ann", "a" * 64)
    with store.only_run(migration.id):
        # Somebody looks for news in it: what it holds stays until that is over.
        assert retaining.apply().totals["tasks"] == 0
    assert retaining.apply().totals["tasks"] == len(tasks)


def test_more_than_a_batch_goes_and_a_task_counts_for_one_policy(
    settings: Settings, stores: Stores, retaining: Retaining, agent_id: str
) -> None:
    ended = utcnow() - timedelta(days=40)
    tasks = [
        AgentTask(agent_id=agent_id, title="x", status="failed", created_at=ended, status_at=ended)
        for _ in range(BATCH + 1)
    ]
    stores.postgres.store_rows(tasks=tasks)
    stored(stores, tasks, 40)
    put(stores, agents=agent_id)
    put(stores, "second", agents=agent_id)
    put(stores, "disabled", days=1, enabled=False)
    gone = list[int]()

    assert retaining.plan().totals["tasks"] == len(tasks)
    done = retaining.apply(told=gone.append)

    assert (done.verified, done.totals["tasks"], gone) == (True, len(tasks), [BATCH, 1])
    assert kept(settings, agent_id) == NOTHING
    acts = AuditLog(settings.required("postgres_url")).page(what="retention applied")
    assert [act.details for act in acts] == [
        {"policy": "old", "tasks": 1},
        {"policy": "old", "tasks": BATCH},
    ]


def meanwhile(stores: Stores, low: AgentTask, tagged: AgentTask, held: AgentTask) -> None:
    """What others do between the look at some tasks and their deletion; no record of them comes."""
    stores.postgres.create_evaluation(
        task_id=low.id, agent_id=low.agent_id, scorer="mine", scorer_version="1", score=0.1
    )
    with stores.postgres.connection() as connection:
        tags = 'UPDATE tasks SET metadata = \'{"tags": ["hold"]}\' WHERE id = %s'
        connection.execute(tags, [tagged.id])
    Holds(stores.postgres).hold(held.id)


def test_what_is_to_stay_since_it_was_judged_stays(
    stores: Stores, retaining: Retaining, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, *others = aged(stores, agent_id, 40, 4)
    put(stores, agents=agent_id, keep_below=0.2)
    stands = retaining.policies.stands

    def slowly(policy: Policy) -> bool:
        meanwhile(stores, *others)
        return stands(policy)

    monkeypatch.setattr(retaining.policies, "stands", slowly)
    done = retaining.apply()

    assert (done.verified, done.policies[0].first) == (True, (gone.id,))
    assert {task.id for task in stores.postgres.get_tasks(agent_id=agent_id)} == {
        task.id for task in others
    }


@pytest.mark.parametrize("change", ["removed", "disabled", "longer"])
def test_nothing_goes_by_a_policy_that_was_changed_meanwhile(
    stores: Stores, retaining: Retaining, agent_id: str, change: str
) -> None:
    tasks = aged(stores, agent_id, 40, 2)
    put(stores, agents=agent_id)
    (read,) = retaining.chosen()
    if change == "removed":
        retaining.policies.remove("old")
    else:
        put(stores, days=90 if change == "longer" else 30, enabled=change != "disabled")

    report = retaining.apply_one(read)

    assert report.tasks == 0
    assert len(stores.postgres.get_tasks(agent_id=agent_id)) == len(tasks)


def test_passes_and_runs_of_the_checks_go_and_the_newest_stays(
    stores: Stores, retaining: Retaining
) -> None:
    with stores.postgres.connection() as connection:
        for days in (500, 450, 420):
            for table in ("evaluation_passes", "quality_runs"):
                connection.execute(
                    f"INSERT INTO {table} (id, started_at) VALUES (%s, now() - %s)".encode(),
                    [new_id(), timedelta(days=days)],
                )
    for kind in (Kind.PASSES, Kind.QUALITY):
        put(stores, kind.value, days=430, kind=kind)
        assert only(retaining, kind.value).rows == 2
        put(stores, kind.value, days=90, kind=kind)
        assert only(retaining, kind.value).rows == 2

    assert [report.rows for report in retaining.apply().policies] == [2, 2]
    assert retaining.apply().totals["rows"] == 0


# Holds


def test_a_held_task_is_deleted_by_nobody_until_it_is_released(
    settings: Settings, stores: Stores, holds: Holds, agent_id: str
) -> None:
    (task,) = aged(stores, agent_id, 40)
    before = kept(settings, agent_id)
    holds.hold(task.id, "incident 42")
    assert holds.hold(task.id, "incident 43").reason == "incident 43"
    with Deleting(settings) as deleting:
        with pytest.raises(TaskHeld, match=r"held \(incident 43\).*tasks release"):
            deleting.delete_task(task.id)
        with pytest.raises(TaskHeld, match="tasks release"):
            deleting.delete_agent(agent_id)
        assert kept(settings, agent_id) == before
        assert [held.task_id for held in holds.page(agent_id=agent_id)] == [task.id]
        assert holds.release(task.id)
        assert not holds.release(task.id)
        assert deleting.delete_task(task.id).verified
    with pytest.raises(RecordNotFound, match="no task"):
        holds.hold(task.id)
    log = AuditLog(settings.required("postgres_url")).page(task_id=task.id)
    said = [entry.what for entry in log if entry.what.startswith("task ")]
    assert said == ["task released", "task held", "task held"]


def test_what_is_being_deleted_cannot_be_held(
    settings: Settings, stores: Stores, holds: Holds, agent_id: str
) -> None:
    task, other = aged(stores, agent_id, 40, 2)
    with Deleting(settings) as deleting:
        deleting.tombstones.open_task(task.id)
        with pytest.raises(RecordRejected, match="deleted for good"):
            holds.hold(task.id)
        deleting.begin_agent(agent_id)
        with pytest.raises(RecordRejected, match="deleted for good"):
            holds.hold(other.id)


def test_the_archive_of_a_held_task_does_not_go_with_another_that_shares_it(
    settings: Settings, stores: Stores, holds: Holds, agent_id: str, source: Path
) -> None:
    store = MigrationStore(stores.postgres)
    copied(stores, store, inventory(store, source, agent_id))
    shared, held = (task.id for task in stores.postgres.get_tasks(agent_id=agent_id).items[:2])
    with stores.postgres.connection() as connection:
        connection.execute(
            "UPDATE migration_items SET task_ids = task_ids || %s WHERE %s = ANY(task_ids)",
            [held, shared],
        )
    holds.hold(held, "incident 42")
    before = kept(settings, agent_id)
    with Deleting(settings) as deleting:
        with pytest.raises(TaskHeld, match=f"{held} is held"):
            deleting.delete_task(shared)
        assert kept(settings, agent_id) == before
        holds.release(held)
        assert deleting.delete_task(shared).verified


# The command


def test_policies_and_holds_on_the_command_line(
    settings: Settings, stores: Stores, run: Run, agent_id: str
) -> None:
    held, gone = aged(stores, agent_id, 40, 2)
    assert "nothing is ever deleted" in run("retention", "list").out
    assert "nothing is deleted" in run("retention", "run", "--yes").out
    assert run("retention", "add", "old").code == 2
    assert "completed" in run("retention", "add", "x", "--older-than", "9d", "--status", "y").err
    narrower = run("retention", "add", "x", "--kind", "passes", "--agents", agent_id)
    assert (narrower.code, "only --older-than and --keep-last count" in narrower.err) == (2, True)
    assert "say both" in run("retention", "add", "x", "--older-than", "9d", "--scorer", "y").err
    added = run("retention", "add", "old", "--older-than", "30d", "--agents", agent_id, "--json")
    assert (added.code, added.json()["older_than"]) == (0, "P30D")
    assert run("retention", "show", "old", "--json").json()["agents"] == agent_id
    assert agent_id in run("retention", "list").out
    assert run("tasks", "hold", str(held.id), "--reason", "why not", "--json").json()["held"]
    assert "why not" in run("tasks", "held").out
    refused = run("tasks", "delete", str(held.id), "--yes")
    assert (refused.code, "tasks release" in refused.err) == (2, True)

    plan = run("retention", "run", "--json").json()
    assert (plan["deleted"], plan["planned"]["tasks"], plan["verified"]) == ({}, 1, False)
    assert [one["reason"] for one in plan["policies"][0]["kept"]] == ["held"]
    assert "this goes for good: 1 task." in run("retention", "run").out
    done = run("retention", "run", "--yes", "--policy", "old", "--json")
    assert (done.code, done.json()["deleted"]["tasks"], done.json()["verified"]) == (0, 1, True)
    assert kept(settings, agent_id, gone.id) == NOTHING

    assert run("tasks", "release", str(held.id), "--json").json()["released"]
    assert "Deleted for good: 1 task." in run("retention", "run", "--yes").out
    assert run("retention", "remove", "old", "--json").json()["removed"]
    assert run("retention", "show", "old").code == 2
    assert run("tasks", "hold", str(uuid4())).code == 2
