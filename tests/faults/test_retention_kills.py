"""Retention that is killed at any step ends, when it runs again, as if it never was."""

from datetime import timedelta

from agentruns.models import AgentTask
from storage.access import AuditLog
from storage.deletion import STEPS, Deleting
from storage.retention import Holds, Policies, Policy, Retaining
from storage.settings import Settings
from storage.stores import Stores
from tests.aged import aged
from tests.faults.test_deletion_kills import ended
from tests.faults.words import TRIALS, killed_at
from tests.kept import NOTHING, kept

WORDS = ("judge", "open", *STEPS)
#: More than two batches.
GOING = 7


def filled(stores: Stores, agent_id: str) -> tuple[list[AgentTask], list[AgentTask]]:
    """Tasks that go by the policy, and tasks that stay."""
    going, held = aged(stores, agent_id, 40, GOING), aged(stores, agent_id, 40)
    Holds(stores.postgres).hold(held[0].id)
    tagged = aged(stores, agent_id, 40, metadata={"tags": ["hold"]})
    return going, [*held, *tagged, *aged(stores, agent_id, 20)]


def deleted(settings: Settings, agent_id: str) -> list[str]:
    """What the audit log says of each task that is deleted, and of nothing twice."""
    log = AuditLog(settings.required("postgres_url")).page(agent_id=agent_id, what="data deleted")
    return sorted(str(entry.details["finished"]) for entry in log if "finished" in entry.details)


def test_retention_that_was_killed_ends_as_an_undisturbed_one(
    settings: Settings, stores: Stores, agent_id: str
) -> None:
    policies = Policies(stores.postgres)

    def policy_of(name: str) -> str:
        policies.put(Policy(name=name, agents=name, older_than=timedelta(days=30)))
        return name

    filled(stores, f"{agent_id}y")
    with Retaining(settings) as retaining, Deleting(settings) as deleting:
        undisturbed = retaining.apply(policy_of(f"{agent_id}y"))
        assert undisturbed.totals["tasks"] == GOING
        for trial in range(TRIALS):
            name = f"{agent_id}-{trial}"
            going, staying = filled(stores, name)
            before = [kept(settings, name, task.id) for task in staying]
            killed_at(trial, WORDS, "tests.faults.retaining", policy_of(name))
            ended(deleting)
            assert retaining.apply(name).verified
            assert [kept(settings, name, task.id) for task in staying] == before
            assert all(kept(settings, name, task.id) == NOTHING for task in going)
            assert deleted(settings, name) == deleted(settings, f"{agent_id}y")
            assert retaining.apply(name).totals["tasks"] == 0
