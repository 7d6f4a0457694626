"""Retention is applied by a flow, which does nothing until there is a policy."""

from datetime import timedelta

from flows.apply_retention import apply_retention
from storage.deletion import Deleting
from storage.retention import Policies, Policy
from storage.settings import Settings
from storage.stores import Stores
from tests.aged import aged
from tests.kept import NOTHING, kept


def test_nothing_goes_without_a_policy_and_without_yes(
    settings: Settings, stores: Stores, agent_id: str
) -> None:
    gone, cut_off = aged(stores, agent_id, 40, 2)
    with Deleting(settings) as deleting:
        begun = deleting.tombstones.open_task(cut_off.id)
        nothing = apply_retention(yes=True)
        assert (nothing.policies, nothing.verified) == ((), True)
        assert deleting.tombstones.get(begun.id).finished_at is None
    policies = Policies(stores.postgres)
    policies.put(Policy(name="old", agents=agent_id, older_than=timedelta(days=30)))
    policies.put(Policy(name="passes", kind="passes", older_than=timedelta(days=400)))
    assert apply_retention().totals["tasks"] == 2  # one of them has its tombstone already
    assert stores.postgres.get_task(gone.id)

    done = apply_retention(yes=True)

    assert (done.verified, done.totals["tasks"]) == (True, 1)
    assert kept(settings, agent_id) == NOTHING
