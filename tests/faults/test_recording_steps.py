"""A delivery killed between any two steps, seen from outside by proxies before the stores.

At each of them no row points at an object that is not there; the next delivery completes it.
"""

import os
import signal
from functools import partial

import pytest

from agentruns.spool import Spool
from storage.stores import Stores
from tests.faults.conftest import Proxied
from tests.faults.recording_children import Agent, DeliveryProcess
from tests.faults.recording_stores import Kept
from tests.faults.recording_trials import (
    TRIALS,
    check,
    some,
    wait_until,
    wait_until_empty,
)

pytestmark = pytest.mark.slow

BETWEEN_STEPS = "2  kill -9 of the delivery at each step"
ROW_AND_OBJECT = "10 kill -9 between object and row"
REPLY_CUT = "4  reply cut after the commit"

#: What the request of each step has in it.
STEPS = {
    "object": ("minio", b"PUT /screenshots/"),
    "documents": ("mongo", b"\x02insert\x00"),
    "rows": ("postgres", b"task_progress"),
    "row of an object": ("postgres", b"binary_file_metadata"),
    "commit": ("postgres", b"COMMIT"),
}
#: The last word to each store before something is there for good, and what is counted then.
LAST_WORDS = {
    "minio": (b"PUT /", "files"),
    "mongo": (b"\x02insert\x00", "logs"),
    "postgres": (b"COMMIT", "progress"),
}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.timeout(120 + TRIALS)
def test_a_delivery_killed_at_a_step_is_completed_by_the_next(
    spool: Spool, stores: Stores, proxied: Proxied, agent_id: str, step: str, before: bool
) -> None:
    trials, agents = some(0.1), []
    for _ in range(trials):
        agents.append(Agent(spool.folder, agent_id, "--events", 40).begin())
        assert agents[-1].wait() == 0
        _kill_delivery_at(step, before, spool, proxied)
        assert Kept(stores, agent_id).rows_without_object() == []
    with DeliveryProcess(spool.folder) as last:
        assert last.wait() == 0, last.lines

    assert spool.sessions() == []
    promise = ROW_AND_OBJECT if "object" in step else BETWEEN_STEPS
    check(promise, Kept(stores, agent_id), agents, trials)


def _kill_delivery_at(step: str, before: bool, spool: Spool, proxied: Proxied) -> None:
    store, marker = STEPS[step]
    proxy = getattr(proxied, store)
    delivery = DeliveryProcess(spool.folder, environment=proxied.environment)
    kill = partial(os.kill, delivery.pid, signal.SIGKILL)
    (proxy.cut_request if before else proxy.cut_reply_to)(marker, kill)
    assert delivery.wait() == -signal.SIGKILL, delivery.lines


@pytest.mark.parametrize("store", LAST_WORDS)
@pytest.mark.timeout(120 + 4 * TRIALS)
def test_replies_cut_after_the_commit_change_nothing(
    spool: Spool, stores: Stores, proxied: Proxied, agent_id: str, store: str
) -> None:
    proxy, (marker, kind) = getattr(proxied, store), LAST_WORDS[store]
    with DeliveryProcess(spool.folder, "--forever", environment=proxied.environment) as delivery:
        agent = Agent(spool.folder, agent_id, "--pause", 0.01).begin()
        for number in range(TRIALS):
            proxy.cut_reply_to(marker)
            wait_until(lambda cuts=number: proxy.cuts > cuts, 60, "nothing was cut")  # type: ignore[misc]  # mypy can't infer a lambda with a default
            # A link that cuts every try lets nothing through, whoever tries.
            arrived = _arrived(spool, kind)
            wait_until(lambda known=arrived: _arrived(spool, kind) > known, 60, "nothing goes on")  # type: ignore[misc]  # as above
        assert agent.finish() == 0
        wait_until_empty(spool, delivery)

    check(REPLY_CUT, Kept(stores, agent_id), [agent], TRIALS)


def _arrived(spool: Spool, kind: str) -> int:
    with spool.ledger() as ledger:
        return sum(ledger.counts(session.name).delivered[kind] for session in spool.sessions())
