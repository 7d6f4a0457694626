"""The callback as a guest in the agent's loop: it changes, breaks, delays and betrays nothing."""

import asyncio
import hashlib
import inspect
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cua_agent.callbacks.base import AsyncCallbackHandler
from cua_core.telemetry import is_telemetry_enabled
from cua_core.telemetry.posthog import PostHogTelemetryClient

from agentruns import Run, SpoolFull
from agentruns.cua import RecordingCallback
from agentruns.cua.failure_log import FailureLog
from agentruns.models import Status, Upload
from examples.scripted_cua import Screen, act, say, think
from tests.integration.cua_agents import drive, make_agent, recorder, steps, tasks, told

EXAMPLE = Path(__file__).parents[2] / "examples" / "record_cua.py"
CLICK = [think("The button is left."), act("c1", "click", x=40, y=60, button="left")]
DONE = [say("It is booked.")]
#: Runs a program in a process that cannot reach anybody.
OFFLINE = """
import runpy, socket, sys
def refused(*_): raise AssertionError("reached for the network")
socket.socket.connect = socket.getaddrinfo = refused
sys.path.insert(0, sys.argv[1].rpartition("/")[0])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def hooks():
    return [name for name in vars(AsyncCallbackHandler) if name.startswith("on_")]


@pytest.mark.parametrize("hook", hooks())
def test_each_hook_of_the_package_is_there_with_its_parameters(hook):
    ours, theirs = getattr(RecordingCallback, hook), getattr(AsyncCallbackHandler, hook)
    assert inspect.iscoroutinefunction(ours)
    parameters = [inspect.signature(function).parameters.values() for function in (ours, theirs)]
    assert len({tuple((p.name, p.default) for p in told) for told in parameters}) == 1


def test_what_the_agent_sees_is_the_same_with_and_without_the_callback(tmp_path):
    class Listener(AsyncCallbackHandler):
        def __init__(self):
            self.heard = []

        async def on_llm_start(self, messages):
            self.heard.append(repr(messages))
            return messages

    alone, beside = Listener(), Listener()
    asyncio.run(drive(make_agent(alone, [CLICK, DONE])))
    with recorder(tmp_path) as kept:
        agent = make_agent(RecordingCallback(kept), [CLICK, DONE])
        agent.callbacks.append(beside)
        asyncio.run(drive(agent))
    assert alone.heard == beside.heard


def fill(run):
    for add in (lambda: run.file(os.urandom(100_000)), lambda: run.log("x")):
        with suppress(SpoolFull):
            for _ in range(10_000):
                add()


def test_a_full_spool_is_said_once_and_the_agent_goes_on(tmp_path, caplog):
    with recorder(tmp_path, max_bytes=2_000_000) as kept:
        agent = make_agent(RecordingCallback(kept), [CLICK] * 3 + [DONE])
        fill(kept.start_run("Fills the spool"))
        done = asyncio.run(drive(agent))
    assert done[-1]["content"][0]["text"] == "It is booked."
    said = [r.message for r in caplog.records if "without being recorded" in r.message]
    assert len(said) == 1
    assert "has reached its limit" in said[0]


def test_a_spool_that_cannot_be_used_stops_no_agent(tmp_path, caplog):
    (tmp_path / "spool").write_text("a file")
    done = asyncio.run(drive(make_agent(RecordingCallback(recorder(tmp_path)), [CLICK, DONE])))
    assert done[-1]["content"][0]["text"] == "It is booked."
    assert [r.levelno for r in caplog.records if r.name == "agentruns"] == [logging.WARNING]


def test_the_loop_goes_on_while_a_slow_disk_keeps_what_was_told(tmp_path, monkeypatch):
    keep = Run.record

    def slowly(self, records):
        time.sleep(0.3)
        keep(self, records)

    async def beside(agent):
        running, gaps, last = asyncio.create_task(drive(agent)), [], time.monotonic()
        while not running.done():
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        return max(gaps)

    monkeypatch.setattr(Run, "record", slowly)
    with recorder(tmp_path) as kept:
        longest = asyncio.run(beside(make_agent(RecordingCallback(kept), [CLICK, DONE])))
    assert longest < 0.25
    assert [step[0] for step in steps(told(tmp_path))] == [1, 1]


def test_nobody_is_told_that_agents_are_tested():
    assert not is_telemetry_enabled()
    assert PostHogTelemetryClient._singleton is None


def test_no_secret_of_a_run_reaches_the_spool(tmp_path):
    key, own = "sk-ant-api03-0123456789abcdefghijklmnop", "ticket-4711"
    secret = [think(f"My ticket is {own}."), act("c1", "type", text=f"{own} {key}")]
    with recorder(tmp_path, secrets=[r"ticket-\d+"]) as kept:
        agent = make_agent(RecordingCallback(kept), [secret, DONE], api_key=key)
        asyncio.run(drive(agent, f"{'Use ' * 48}{own}"))
    kept_bytes = b"".join(f.read_bytes() for f in (tmp_path / "spool").rglob("*") if f.is_file())
    assert b"It is booked." in kept_bytes
    assert key.encode() not in kept_bytes
    assert own.encode() not in kept_bytes
    assert b"ticket-4" not in kept_bytes


async def tell(callback, screenshot):
    """The hooks by themselves, as a loop may call them that shows something else beforehand."""
    shown = {"type": "input_image", "image_url": "data:image/png;base64," + Screen().base64()}
    output = {"type": "computer_call_output", "call_id": "c1", "output": shown}
    await callback.on_run_start({"messages": "Book a flight", "model": "m"}, [])
    await callback.on_screenshot(screenshot, "screenshot_after")
    await callback.on_computer_call_end(CLICK[1], [output])
    await callback.on_run_end({}, [], DONE)


def test_a_screenshot_that_is_only_in_a_result_is_kept_and_what_is_none_is_told(tmp_path):
    with recorder(tmp_path) as kept:
        asyncio.run(tell(RecordingCallback(kept), "no picture at all"))
    (file,) = [record.file for record in told(tmp_path) if isinstance(record, Upload)]
    assert file.sha256 == hashlib.sha256(Screen().png()).hexdigest()
    assert (file.metadata["step"], file.metadata["primary"]) == (1, True)
    warnings = [r.message for r in told(tmp_path) if getattr(r, "level", "") == "warning"]
    assert len(warnings) == 1
    assert warnings[0].startswith("screenshot_after: ")


def test_what_the_agent_shows_of_a_step_stands_for_it_before_what_is_in_its_result(tmp_path):
    clicked = Screen()
    clicked.click(9, 9)
    with recorder(tmp_path) as kept:
        asyncio.run(tell(RecordingCallback(kept), clicked.png()))
    files = [record.file for record in told(tmp_path) if isinstance(record, Upload)]
    assert [(f.metadata["step"], f.metadata["primary"]) for f in files] == [(1, True), (1, False)]
    assert files[0].sha256 == hashlib.sha256(clicked.png()).hexdigest()


@pytest.mark.parametrize("title", ["", " ", "x" * 501])
def test_a_title_that_no_task_can_have_is_refused_at_once(tmp_path, title):
    with pytest.raises(ValueError, match="title must be a text of 1 to 500 characters"):
        RecordingCallback(recorder(tmp_path), title=title)


def test_usage_and_cost_are_in_each_step_and_in_the_task(tmp_path):
    with recorder(tmp_path) as kept:
        asyncio.run(drive(make_agent(RecordingCallback(kept), [CLICK, CLICK, DONE])))
    (task,) = tasks(tmp_path).values()
    each = [step[3]["usage"] for step in steps(told(tmp_path))]
    for name in ("total_tokens", "response_cost"):
        assert sum(usage[name] for usage in each) == pytest.approx(task.metadata["usage"][name])


def test_the_example_records_a_run_without_key_and_without_network(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(EXAMPLE.parents[1]),
        "AGENTRUNS_SPOOL": str(tmp_path / "spool"),
        "AGENTRUNS_DELIVER": "0",
        "AGENTRUNS_EXIT_SECONDS": "0",
        "FLUSH_SECONDS": "0",
    }
    ran = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(EXAMPLE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "reached for the network" not in ran.stderr
    assert "pending=18" in ran.stdout
    (task,) = tasks(tmp_path).values()
    assert (task.status, task.metadata["steps"]) == (Status.COMPLETED, 2)


def test_importing_the_callback_imports_no_agent():
    """Whoever records something else than cua-agent, or in another process, needs none of it."""
    heavy = "{'cua_agent', 'litellm', 'PIL', 'psycopg', 'pymongo', 'minio', 'prefect'}"
    code = f"import sys, agentruns.cua; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_recording_that_works_again_says_how_much_is_missing(caplog):
    failures = FailureLog()
    for error in (SpoolFull("No room."), SpoolFull("No room."), ValueError("what the agent said")):
        failures.failed(error)
    failures.worked(is_open=True)
    failures.worked(is_open=True)
    failures.failed(ValueError("what the agent said"))
    assert [record.message for record in caplog.records] == [
        "No room. The agent goes on without being recorded.",
        "Recording works again; 3 parts of the run are missing.",
        "A part of the run could not be recorded (ValueError). "
        "The agent goes on without being recorded.",
    ]
