"""Agents and deliveries killed at any moment: nothing acknowledged is lost, nothing is there twice.

`make faults N=200` runs more kills than the few of every day.
"""

import time
from uuid import uuid4

import pytest

from agentruns.spool import Spool
from storage.stores import Stores
from tests.faults.recording_children import Agent, DeliveryProcess
from tests.faults.recording_stores import Kept, raw_mongo
from tests.faults.recording_trials import (
    PROMISES,
    TRIALS,
    check,
    moments,
    some,
    wait_until,
    wait_until_empty,
)

pytestmark = pytest.mark.slow

AGENT_KILLED = "1  kill -9 of the agent"
DELIVERY_KILLED = "2  kill -9 of the delivery"
TWO_AT_ONCE = "2  two deliveries started at once"


@pytest.mark.timeout(120 + 10 * TRIALS)
def test_a_killed_agent_loses_nothing_of_what_was_acknowledged(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    random = moments("agent")
    with DeliveryProcess(spool.folder, "--forever") as delivery:
        whole, seconds = _undisturbed(spool, agent_id)
        agents = [whole]
        for number in range(TRIALS):
            agents.append(_agent(spool, agent_id).begin())
            if number:
                time.sleep(random.uniform(0, seconds))
            else:
                # One is hit in the middle for sure, else the test could prove nothing.
                agents[-1].wait_for("log")
            agents[-1].kill()
        wait_until_empty(spool, delivery)

    assert whole.completed
    assert any(0 < len(agent.acknowledged) < 300 for agent in agents)
    check(AGENT_KILLED, Kept(stores, agent_id), agents, TRIALS)


def _agent(spool: Spool, agent_id: str) -> Agent:
    return Agent(spool.folder, agent_id, "--events", 150)


def _undisturbed(spool: Spool, agent_id: str) -> tuple[Agent, float]:
    """An agent that nobody kills, and how long it takes."""
    agent = _agent(spool, agent_id)
    start = time.monotonic()
    agent.begin().wait()
    return agent, time.monotonic() - start


@pytest.mark.timeout(120 + 10 * TRIALS)
def test_a_delivery_killed_again_and_again_under_load_delivers_all_once(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    random = moments("delivery")
    agents = [Agent(spool.folder, agent_id, "--pause", 0.02).begin() for _ in range(2)]
    for _ in range(TRIALS):
        delivery = DeliveryProcess(spool.folder)
        delivery.wait_for("begins")
        time.sleep(random.uniform(0, 0.6))
        delivery.kill()
    assert [agent.finish() for agent in agents] == [0, 0]

    last = DeliveryProcess(spool.folder)
    assert last.wait(120) == 0, last.lines

    assert spool.sessions() == []
    check(DELIVERY_KILLED, Kept(stores, agent_id), agents, TRIALS)


@pytest.mark.timeout(120 + 10 * TRIALS)
def test_the_delivery_that_a_recorder_started_outlives_its_killed_agent(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    random, trials = moments("started"), some(0.1)
    agents = []
    for _ in range(trials):
        agents.append(Agent(spool.folder, agent_id, "--pause", 0.002, "--deliver").begin())
        agents[-1].wait_for("log")
        time.sleep(random.uniform(0, 1))
        agents[-1].kill()
        wait_until(lambda: not spool.delivering() and spool.sessions() == [], 60, "it stays")

    check(AGENT_KILLED, Kept(stores, agent_id), agents, trials)


@pytest.mark.timeout(120 + 10 * TRIALS)
def test_of_two_deliveries_that_begin_at_once_one_works_and_the_other_leaves(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    trials, agents = some(0.2), []
    for _ in range(trials):
        agents.append(_agent(spool, agent_id).begin())
        both = [DeliveryProcess(spool.folder, "--forever") for _ in range(2)]
        wait_until(lambda both=both: not all(one.lives for one in both), 30, "both stay")  # type: ignore[misc]  # mypy can't infer a lambda with a default
        ((winner,), (loser,)) = _parted(both)
        assert loser.wait() == 0
        assert "Another delivery is at work" in loser.lines[-1]
        assert agents[-1].wait() == 0
        wait_until_empty(spool, winner)
        assert winner.terminate() == 0

    check(TWO_AT_ONCE, Kept(stores, agent_id), agents, trials)


def _parted(both: list[DeliveryProcess]) -> tuple[list[DeliveryProcess], list[DeliveryProcess]]:
    """Those that live, and those that have ended."""
    return [one for one in both if one.lives], [one for one in both if not one.lives]


def test_the_check_of_these_trials_sees_a_planted_loss_and_a_planted_double(
    spool: Spool, stores: Stores, agent_id: str
) -> None:
    agent = Agent(spool.folder, agent_id, "--events", 20).begin()
    assert agent.wait() == 0
    with DeliveryProcess(spool.folder) as delivery:
        assert delivery.wait() == 0
    check("planted", Kept(stores, agent_id), [agent], 1)
    with raw_mongo(stores.settings) as client:
        logs = client[f"agent_{agent_id}"]["agent_logs"]
        document = logs.find_one_and_delete({"message": "0-0"})
        assert document
        with pytest.raises(AssertionError, match="acknowledged and not stored"):
            check("planted", Kept(stores, agent_id), [agent], 1)
        logs.insert_many([document, {**document, "_id": uuid4()}])
        with pytest.raises(AssertionError, match="stored twice"):
            check("planted", Kept(stores, agent_id), [agent], 1)
        logs.delete_many({"message": "0-0"})
        with pytest.raises(AssertionError, match="sequences with gaps"):
            check("planted", Kept(stores, agent_id), [], 1)
    shown = [row for row in Kept(stores, agent_id).files if row.bucket == "screenshots"]
    stores.minio.delete("screenshots", shown[0].object_path)
    assert shown[0].object_path in Kept(stores, agent_id).rows_without_object()
    del PROMISES["planted"]
