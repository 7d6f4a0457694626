"""How a run of the real cua-agent ends in the records, whatever ends it."""

import asyncio
import json

import pytest

from agentruns.cua import RecordingCallback
from agentruns.models import LogEntry, Status
from examples.scripted_cua import SCRIPTS, act, call, say
from tests.integration.cua_agents import (
    MODEL,
    drive,
    errors,
    make_agent,
    recorder,
    steps,
    tasks,
    told,
)

CLICK = [act("c1", "click", x=40, y=60, button="left")]
WAIT = [act("c2", "wait")]
TELEPORT = [act("c3", "teleport", where="home")]
CRASH = [call("f1", "browser", json.dumps({"action": "crash"}))]
DONE = [say("It is booked.")]
AWAY = ConnectionError("no model")


def endings(folder):
    return [(task.status, task.metadata.get("reason")) for task in tasks(folder).values()]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        pytest.param([CLICK, AWAY], "ConnectionError: no model", id="the model"),
        pytest.param([CLICK, CRASH], "RuntimeError: the browser is gone", id="a tool"),
    ],
)
def test_an_exception_that_ends_the_program_ends_the_run_as_failed(tmp_path, turns, reason):
    with recorder(tmp_path) as kept:
        agent = make_agent(RecordingCallback(kept), turns)
        with pytest.raises((ConnectionError, RuntimeError)):
            asyncio.run(drive(agent))
        assert endings(tmp_path) == [(Status.FAILED, reason)]
    assert errors(told(tmp_path)) == [reason]
    assert [step[0] for step in steps(told(tmp_path))] == [1]


def test_an_exception_that_the_program_survives_is_told_when_the_next_run_begins(tmp_path):
    async def go_on(agent):
        with pytest.raises(ConnectionError):
            await drive(agent, "The first")
        SCRIPTS[MODEL] = [CLICK, DONE]
        await drive(agent, "The second")

    with recorder(tmp_path) as kept:
        asyncio.run(go_on(make_agent(RecordingCallback(kept), [CLICK, AWAY])))
    assert [status for status, _ in endings(tmp_path)] == [Status.FAILED, Status.COMPLETED]
    assert "while it waited for the model" in endings(tmp_path)[0][1]
    assert [task.title for task in tasks(tmp_path).values()] == ["The first", "The second"]
    assert [step[0] for step in steps(told(tmp_path))] == [1, 1, 1]


def test_a_with_block_around_the_loop_knows_the_exception_at_once(tmp_path):
    async def survive(recording, agent):
        with pytest.raises(ConnectionError), recording:
            await drive(agent)
        return endings(tmp_path)

    with recorder(tmp_path) as kept:
        recording = RecordingCallback(kept)
        then = asyncio.run(survive(recording, make_agent(recording, [CLICK, AWAY])))
    assert then == [(Status.FAILED, "ConnectionError: no model")]


def test_two_runs_of_one_agent_are_two_tasks(tmp_path):
    async def twice(agent):
        await drive(agent, "The first")
        SCRIPTS[MODEL] = [CLICK, CLICK, DONE]
        await drive(agent, "The second")

    with recorder(tmp_path) as kept:
        asyncio.run(twice(make_agent(RecordingCallback(kept), [CLICK, DONE])))
    assert [status for status, _ in endings(tmp_path)] == [Status.COMPLETED] * 2
    assert [task.metadata["steps"] for task in tasks(tmp_path).values()] == [1, 2]
    spent = [task.metadata["usage"]["response_cost"] for task in tasks(tmp_path).values()]
    assert spent == pytest.approx([0.010, 0.015])


def test_a_cancelled_run_is_cancelled_and_keeps_its_steps(tmp_path):
    async def cancel(agent):
        waiting = asyncio.Event()

        async def wait(_):
            waiting.set()
            await asyncio.Event().wait()

        agent.tools[0]["wait"] = wait
        running = asyncio.create_task(drive(agent))
        await asyncio.wait_for(waiting.wait(), timeout=30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return endings(tmp_path)

    with recorder(tmp_path) as kept:
        then = asyncio.run(cancel(make_agent(RecordingCallback(kept), [CLICK, WAIT, DONE])))
    assert then == [(Status.CANCELLED, "CancelledError")]
    assert [step[0] for step in steps(told(tmp_path))] == [1]
    said = [record.message for record in told(tmp_path) if isinstance(record, LogEntry)]
    assert said[-1] == "begins: wait"


def test_a_loop_that_its_caller_leaves_is_cancelled_when_the_callback_is_closed(tmp_path):
    async def leave(agent):
        async for _ in agent.run("Book a flight"):
            break

    with recorder(tmp_path) as kept:
        recording = RecordingCallback(kept)
        asyncio.run(leave(make_agent(recording, [CLICK, DONE])))
        assert [status for status, _ in endings(tmp_path)] == [Status.IN_PROGRESS]
        recording.close()
    assert endings(tmp_path) == [(Status.CANCELLED, "The agent's loop was left before its end.")]


def test_a_timeout_around_each_step_does_not_end_the_run(tmp_path):
    """On Python 3.11 each `wait_for` has a task of its own, which ends with the step."""

    async def step_by_step(agent):
        run = agent.run("Book a flight")
        while await asyncio.wait_for(anext(run, None), timeout=30):
            pass

    with recorder(tmp_path) as kept:
        turns = [CLICK, TELEPORT, CLICK, DONE]
        asyncio.run(step_by_step(make_agent(RecordingCallback(kept), turns)))
    assert endings(tmp_path) == [(Status.COMPLETED, None)]
    assert [step[:2] for step in steps(told(tmp_path))] == [(1, None), (2, None), (2, 100)]


def test_a_run_that_is_open_already_takes_everything_and_is_left_open(tmp_path):
    async def twice(agent):
        await drive(agent, "The first")
        SCRIPTS[MODEL] = [CLICK, DONE]
        await drive(agent, "The second")

    with recorder(tmp_path) as kept:
        with kept.run("Both halves") as run:
            asyncio.run(twice(make_agent(RecordingCallback(kept, run=run), [CLICK, DONE])))
            assert endings(tmp_path) == [(Status.IN_PROGRESS, None)]
        assert endings(tmp_path) == [(Status.COMPLETED, None)]
    assert [step[0] for step in steps(told(tmp_path))] == [1, 1, 2, 2]
    used = [step[3].get("usage", {}).get("total_tokens", 0) for step in steps(told(tmp_path))]
    assert sum(used) == steps(told(tmp_path))[-1][3]["total_usage"]["total_tokens"]


def test_under_a_recorded_command_the_run_joins_its_task(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTRUNS_TASK_ID", "01a2090c-c301-7109-ba55-612486069ba2")
    with recorder(tmp_path) as kept:
        asyncio.run(drive(make_agent(RecordingCallback(kept), [CLICK, DONE])))
    assert list(map(str, tasks(tmp_path))) == ["01a2090c-c301-7109-ba55-612486069ba2"]
    assert endings(tmp_path) == [(Status.PENDING, None)]
    assert [step[0] for step in steps(told(tmp_path))] == [1, 1]
