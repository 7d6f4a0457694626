"""Agents are deleted, and what a kill left is ended, by flows."""

import pytest

from agentruns.models import AgentTask
from flows.delete_agent import delete_agent
from flows.finish_deletions import finish_deletions
from storage.deletion import Deleting
from storage.errors import AgentDeleted, DeletionRunning
from storage.settings import Settings
from storage.stores import Stores
from tasks.provisioning import let_in
from tests.kept import NOTHING, kept, records_of


def test_an_agent_is_deleted_by_a_flow_that_says_yes(
    settings: Settings, stores: Stores, agent_id: str
) -> None:
    let_in.fn(agent_id, False, None)
    task = AgentTask(agent_id=agent_id, title="a task", status="completed")
    stores.writer.write(records_of(task))
    before = kept(settings, agent_id)

    told = delete_agent(agent_id)

    assert (told.deleted, told.found["postgres"]["tasks"]) == (False, 1)
    assert kept(settings, agent_id) == before

    done = delete_agent(agent_id, yes=True)

    assert (done.deleted, done.verified, done.found["postgres"]["agent_keys"]) == (True, True, 1)
    assert kept(settings, agent_id) == NOTHING
    with pytest.raises(AgentDeleted):
        let_in.fn(agent_id, False, None)


def test_what_was_begun_is_ended_and_one_that_is_being_deleted_is_left_alone(
    settings: Settings, stores: Stores, agent_id: str
) -> None:
    tasks = [AgentTask(agent_id=agent_id, title=str(n), status="completed") for n in range(2)]
    for task in tasks:
        stores.writer.write(records_of(task))
    with Deleting(settings) as deleting:
        begun = [deleting.tombstones.open_task(task.id) for task in tasks]
        with deleting.tombstones.only_one(begun[0]):
            with pytest.raises(DeletionRunning, match="in this moment"):
                deleting.finish(begun[0].id)
            done = finish_deletions()
            assert (done.finished, done.running) == (1, 1)
    assert kept(settings, agent_id, tasks[1].id) == NOTHING

    assert finish_deletions().finished == 1
    assert kept(settings, agent_id) == NOTHING
