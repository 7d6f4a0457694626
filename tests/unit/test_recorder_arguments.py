"""Arguments out of range raise at once, say what is allowed, and leave nothing in the spool."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentruns import Recorder, Run
from agentruns.models import AgentTask
from tests.unit.spools import records

Call = Callable[[Run], Any]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda run: run.progress(101), "percent must be a number from 0 to 100 or None, not 101"),
        (lambda run: run.progress(-0.1), "percent must be"),
        (lambda run: run.progress(float("nan")), "percent must be"),
        (lambda run: run.progress("50"), "percent must be a number"),
        (lambda run: run.progress(True), "percent must be"),
        (lambda run: run.progress(5, step=-1), "step must be a whole number from 0 to 2147483647"),
        (lambda run: run.progress(5, step=2**31), "step must be"),
        (lambda run: run.progress(5, step=1.5), "step must be"),
        (lambda run: run.screenshot(b"", step=-1), "step must be"),
        (
            lambda run: run.log("x", level="loud"),
            "level must be debug, info, warning, error or critical, not 'loud'",
        ),
        (lambda run: run.log("x", level=10), "level must be"),
        (lambda run: run.remember("x", memory_type=""), "memory_type must be a text of 1 to 500"),
        (lambda run: run.screenshot(3), "content must be bytes or a path, not int"),
        (
            lambda run: run.screenshot("iVBORw0KGgo" * 1000),
            "content must be bytes or a path, not a text of 11000 characters",
        ),
        (lambda run: run.file(None), "content must be bytes or a path, not NoneType"),
        (lambda run: run.file("no/such/file"), "content must be a regular file"),
        (lambda run: run.file("nul\0in it"), "content must be a regular file"),
        (lambda run: run.screenshot("/dev/null"), "it is not a regular file"),
        (lambda run: run.file(os.sep), "content must be a regular file"),
        (
            lambda run: run.file(b"", content_type="png"),
            "content_type must be like application/pdf",
        ),
        (lambda run: run.file(b"", content_type="a/b\nc"), "content_type must be"),
        (lambda run: run.file(b"", name=""), "name must be a text of 1 to 500 characters"),
        (
            lambda run: run.finish("done"),
            "status must be completed, failed, cancelled or interrupted, not 'done'",
        ),
        (lambda run: run.finish("in_progress"), "status must be"),
    ],
    ids=str,
)
def test_a_run_refuses_what_is_out_of_range(tmp_path: Path, call: Call, told: str) -> None:
    recorder = Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0)
    run = recorder.start_run()
    with pytest.raises(ValueError, match=re.escape(told)):
        call(run)
    (only,) = records(recorder.spool)
    assert isinstance(only, AgentTask)
    recorder.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"title": ""}, "title must be a text of 1 to 500 characters, not ''"),
        ({"title": "  "}, "title must be"),
        ({"title": "x" * 501}, "title must be a text of 1 to 500 characters, not a str of length"),
        ({"title": 5}, "title must be"),
        ({"task_id": "17"}, "task_id must be a UUID, not '17'"),
    ],
    ids=str,
)
def test_a_recorder_refuses_a_run_without_words_or_id(
    tmp_path: Path, arguments: dict[str, Any], told: str
) -> None:
    recorder = Recorder("a", spool=tmp_path / "spool", deliver=False)
    for start in (recorder.run, recorder.start_run):
        with pytest.raises(ValueError, match=re.escape(told)):
            start(**arguments)
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"agent_id": "Browser 1"}, "agent_id must have 1 to 57 small letters"),
        ({"agent_id": "a/b"}, "agent_id must have"),
        ({"agent_id": ""}, "agent_id must have"),
        ({"agent_id": 7}, "agent_id must have"),
        ({"agent_id": "a", "max_bytes": 0}, "max_bytes must be a whole number from 1048576"),
        ({"agent_id": "a", "max_bytes": "1G"}, "max_bytes must be"),
        ({"agent_id": "a", "exit_seconds": -1}, "exit_seconds must be a number of seconds"),
        ({"agent_id": "a", "secrets": ["("]}, "secrets must be regular expressions"),
        ({"agent_id": "a", "secrets": "EMP"}, "secrets must be a list of regular expressions"),
        ({"agent_id": "a", "secrets": [b"EMP"]}, "secrets must be regular expressions for text"),
        ({}, "agent_id must be given, or set as AGENT_ID"),
    ],
    ids=str,
)
def test_a_recorder_refuses_what_it_cannot_work_with(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        Recorder(**arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENTRUNS_EXIT_SECONDS", "soon"),
        ("AGENTRUNS_EXIT_SECONDS", "-1"),
        ("AGENTRUNS_SECRETS", "/no/such/file"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        Recorder("a")


def test_a_task_id_in_the_environment_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AGENTRUNS_TASK_ID", "first")
    with pytest.raises(ValueError, match="AGENTRUNS_TASK_ID must be a UUID, not 'first'"):
        Recorder("a").run()


def test_the_agent_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ID", "browser-7")
    assert Recorder().agent_id == Recorder().run().agent_id == "browser-7"


def test_a_long_argument_is_not_repeated_as_it_may_be_a_secret() -> None:
    secret = "hunter2-" * 10
    with pytest.raises(ValueError, match="agent_id must have") as raised:
        Recorder(secret)
    assert "hunter2" not in str(raised.value)
