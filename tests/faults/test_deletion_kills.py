"""A deletion that is killed at any step is ended later, and ends as one that never was."""

import time
from collections.abc import Iterator

import pytest

from agentruns.models import AgentTask
from storage.access import AuditLog, Provisioning
from storage.access.credentials import credentials_file, write_credentials
from storage.deletion import STEPS, Deleting, Finishing
from storage.deletion.models import Counts
from storage.settings import Settings
from storage.stores import Stores
from tests.faults.words import TRIALS, killed_at
from tests.kept import NOTHING, PNG, kept, picture, records_of

WORDS = ("open", *STEPS)
DELETING = "tests.faults.deleting"
#: So many pictures that a kill meets their removal in the middle.
PICTURES = 60


@pytest.fixture
def deleting(settings: Settings) -> Iterator[Deleting]:
    with Deleting(settings) as deleting:
        yield deleting


def ended(deleting: Deleting) -> None:
    """End what was left; the server may not have heard of the kill yet."""
    for _ in range(50):
        done = Finishing(deleting).finish()
        assert done.failed == {}
        if not done.running:
            return
        time.sleep(0.2)
    pytest.fail("somebody is said to be at work for ever")


def filled(stores: Stores, agent_id: str) -> AgentTask:
    task = AgentTask(agent_id=agent_id, title="a task", status="completed")
    pictures = [picture(task, PNG + b"more %d" % n) for n in range(PICTURES)]
    assert stores.writer.write([*records_of(task), *pictures]).rejected == ()
    return task


def acts(settings: Settings, agent_id: str) -> list[Counts]:
    """What the audit log says was deleted."""
    page = AuditLog(settings.required("postgres_url")).page(agent_id=agent_id, what="data deleted")
    return [entry.details["finished"] for entry in page if "finished" in entry.details]


def test_a_tasks_deletion_that_was_killed_ends_as_an_undisturbed_one(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    undisturbed = deleting.delete_task(filled(stores, f"{agent_id}y").id)
    sibling, other = filled(stores, agent_id), filled(stores, f"{agent_id}x")
    before = kept(settings, agent_id), kept(settings, other.agent_id)
    for trial in range(TRIALS):
        task = filled(stores, agent_id)
        killed_at(trial, WORDS, DELETING, "task", str(task.id))
        ended(deleting)
        done = deleting.delete_task(task.id)  # killed before its tombstone, it is begun here
        assert (done.verified, done.deleted) == (True, undisturbed.deleted)
        assert kept(settings, agent_id, task.id) == NOTHING
        assert (kept(settings, agent_id), kept(settings, other.agent_id)) == before
    assert acts(settings, agent_id) == [undisturbed.deleted] * TRIALS
    assert stores.postgres.get_task(sibling.id)


def test_an_agents_deletion_that_was_killed_ends_as_an_undisturbed_one(
    settings: Settings, stores: Stores, deleting: Deleting, agent_id: str
) -> None:
    with Provisioning(settings) as access:

        def let_in(name: str) -> str:
            key = access.add(name)
            assert key
            write_credentials(credentials_file(name), access.environment_of(key))
            for _ in range(2):
                filled(stores, name)
            return name

        undisturbed = deleting.delete_agent(let_in(f"{agent_id}y"))
        other = let_in(f"{agent_id}x")
        before = kept(settings, other)
        for trial in range(TRIALS):
            name = let_in(f"{agent_id}-{trial}")
            killed_at(trial, WORDS, DELETING, "agent", name)
            ended(deleting)
            if deleting.tombstones.of_agent(name) is None:
                deleting.delete_agent(name)
            done = deleting.delete_agent(name)
            assert (done.verified, done.deleted) == (True, undisturbed.deleted)
            assert kept(settings, name) == NOTHING
            assert not credentials_file(name).exists()
            assert acts(settings, name) == [undisturbed.deleted]
            assert kept(settings, other) == before
