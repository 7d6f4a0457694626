"""Whatever stands in the files of other tools, their readers go on and say what was wrong."""

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentruns.models import AgentTask, ProgressUpdate, Upload
from agentruns.trajectories import (
    READERS,
    AtifReader,
    BrowserGymReader,
    BrowserUseReader,
    OsworldReader,
    Problem,
)
from tests.unit.cua_folders import png
from tests.unit.foreign_runs import (
    atif,
    atif_step,
    browser_use,
    browser_use_step,
    browsergym,
    ids,
    image_part,
    of,
    osworld,
    osworld_line,
    read,
)

BROKEN = [
    (b"", "empty"),
    (b'{"steps": [{"a"', "cut off"),
    (b"[1, 2]", "JSON list, not an object"),
    (b"null", "no JSON object"),
    (b"\xff\xfe{", "no JSON object"),
    (b"[" * 100_000, "JSON list"),
    (b'{"steps": ' + b"[" * 100_000, "cut off"),
]
ODD = [
    float("nan"),
    float("inf"),
    "12",
    "a\0b",
    "\ud800",
    10**30,
    -1,
    True,
    [],
    {},
    [[[]]],
    "n" * 400,
    None,
]
FOLDERS = [
    (OsworldReader(), lambda root: osworld(root, [osworld_line(1), osworld_line(2)])),
    (BrowserGymReader(), browsergym),
]
FILES = [(BrowserUseReader(), browser_use), (AtifReader(), atif)]


@pytest.mark.parametrize(("reader", "write"), FILES)
@pytest.mark.parametrize(("content", "words"), BROKEN)
def test_a_broken_file_is_told_with_path_offset_and_reason(tmp_path, reader, write, content, words):
    item = write(tmp_path)
    item.write_bytes(content)
    problems = of(Problem, read(reader, item))
    assert problems[-1].path == item.name
    if reader.name == "browser-use":
        assert words in problems[-1].reason
        assert problems[-1].offset is not None
    assert not reader.recognise(item)
    assert next(reader.files(item)) == item


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"step_num": 1, "act', "cut off"),
        (b"[1]", "JSON list"),
        (b'"\xff"', "UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"x": 1}', "tells of no step"),
    ],
)
def test_a_broken_line_is_one_problem_and_the_rest_is_read(tmp_path, line, words):
    item = osworld(tmp_path, [osworld_line(1), osworld_line(2)])
    first, second = (item / "traj.jsonl").read_bytes().splitlines()
    (item / "traj.jsonl").write_bytes(b"\n".join([first, line, second]))
    records = read(OsworldReader(), item)
    (problem,) = of(Problem, records)
    assert words in problem.reason
    assert (problem.path, problem.offset is not None) == ("traj.jsonl", True)
    assert problem.offset > len(first)
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 2]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", sorted(osworld_line(1)))
def test_a_line_with_an_odd_value_never_stops_the_reading(tmp_path, name, odd):
    item = osworld(tmp_path, [osworld_line(1), osworld_line(9)])
    lines = [osworld_line(1) | {name: odd}, osworld_line(9)]
    (item / "traj.jsonl").write_text("\n".join(map(json.dumps, lines)))
    records = read(OsworldReader(), item)
    assert 9 in [step.step for step in of(ProgressUpdate, records)]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", sorted(browser_use_step(1)))
def test_a_browser_use_step_with_an_odd_value_never_stops_the_reading(tmp_path, name, odd):
    step = browser_use_step(1) | {name: odd}
    records = read(BrowserUseReader(), browser_use(tmp_path, [odd, step, browser_use_step(9)]))
    assert of(ProgressUpdate, records)[-1].step == 9


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", [*sorted(atif_step(1)), "observation"])
def test_an_atif_step_with_an_odd_value_never_stops_the_reading(tmp_path, name, odd):
    steps = [odd, atif_step(1) | {name: odd}, atif_step(9)]
    records = read(AtifReader(), atif(tmp_path, steps, extra=odd, subagent_trajectories=odd))
    assert of(ProgressUpdate, records)[-1].step == 9


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", ["cum_reward", "err_msg", "stack_trace", "terminated"])
def test_a_summary_with_an_odd_value_never_stops_the_reading(tmp_path, name, odd):
    item = browsergym(tmp_path, **{name: odd})
    (item / "steps_info.json").write_text(json.dumps({"step": 0, "action": odd, "obs": odd}))
    (item / "tape.json").write_text(json.dumps({"steps": [odd, {"kind": odd, "content": odd}]}))
    records = read(BrowserGymReader(), item)
    assert len(of(ProgressUpdate, records)) >= 2


@pytest.mark.parametrize("name", ["summary_info.json", "steps_info.json", "tape.json"])
@pytest.mark.parametrize("content", [b"", b'{"a"', b"7", b"\xff", b"[" * 100_000])
def test_a_broken_file_of_an_experiment_is_told_and_the_rest_is_read(tmp_path, name, content):
    item = browsergym(tmp_path)
    (item / name).write_bytes(content)
    records = read(BrowserGymReader(), item)
    assert name in {problem.path for problem in of(Problem, records)} or content == b"7"
    assert len(of(ProgressUpdate, records)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (png(1)[:100], "cut off"), (b"<!doctype html>", "not a PNG")],
)
def test_a_broken_picture_is_a_problem_and_not_stored(tmp_path, content, words):
    step = atif_step(1, observation={"results": [{"content": [image_part("1.png")]}]})
    read_items = [
        (OsworldReader(), osworld(tmp_path / "o", [osworld_line(1)]), "step_1_*.png"),
        (BrowserUseReader(), browser_use(tmp_path / "b"), "screenshots/step_1.png"),
        (BrowserGymReader(), browsergym(tmp_path / "g"), "screenshot_step_1.png"),
        (AtifReader(), atif(tmp_path / "a", [step]), "1.png"),
    ]
    (tmp_path / "a" / "1.png").touch()
    for reader, item, name in read_items:
        folder = item if item.is_dir() else item.parent
        picture = next(folder.glob(name))
        picture.write_bytes(content)
        (problem,) = of(Problem, read(reader, item))
        assert words in problem.reason
        assert problem.path == str(picture.relative_to(folder))
        stored = [upload.content for upload in of(Upload, read(reader, item))]
        assert content not in stored


@pytest.mark.parametrize(("reader", "write"), FOLDERS)
def test_links_pipes_and_odd_names_are_told_and_never_opened(tmp_path, monkeypatch, reader, write):
    item = write(tmp_path)
    monkeypatch.chdir(item)  # a socket's whole path would be too long
    os.mkfifo(item / "step_7.png")
    (item / "link.png").symlink_to("/etc/passwd")
    (item / "inner").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    Path(os.fsdecode(bytes(item) + b"/caf\xe9.png")).write_bytes(b"x")
    (item / ("n" * 250 + ".png")).write_bytes(png(5))
    problems = {problem.path for problem in of(Problem, read(reader, item))}
    assert problems >= {"step_7.png", "link.png", "inner", "socket"}
    assert all(path.isprintable() for path in problems)


@pytest.mark.parametrize(("reader", "write"), FILES)
def test_links_and_pipes_are_no_items(tmp_path, reader, write):
    item = write(tmp_path / "there")
    (tmp_path / "link.json").symlink_to(item)
    os.mkfifo(tmp_path / "pipe.json")
    assert list(reader.items(tmp_path)) == [item]
    for name in ("link.json", "pipe.json", "gone.json"):
        assert of(Problem, read(reader, tmp_path / name))


def test_a_name_that_is_not_utf8_is_read(tmp_path):
    for reader, write in FILES:
        item = write(tmp_path / reader.name)
        odd = Path(os.fsdecode(bytes(item.parent) + b"/caf\xe9.json"))
        item.rename(odd)
        assert list(reader.items(item.parent)) == [odd]
        assert len(of(AgentTask, read(reader, odd))) == 1


@pytest.mark.parametrize("reader", [reader for reader, _ in FOLDERS + FILES])
def test_what_is_not_there_is_problems_and_no_error(tmp_path, reader):
    for path in (tmp_path / "gone", tmp_path / ("n" * 300)):
        assert not reader.recognise(path)
        assert of(Problem, read(reader, path))


def test_no_reader_takes_what_belongs_to_another(tmp_path):
    items = {
        "osworld": osworld(tmp_path / "o", [osworld_line(1)]),
        "browser-use": browser_use(tmp_path / "b"),
        "browsergym": browsergym(tmp_path / "g"),
        "atif": atif(tmp_path / "a"),
    }
    for name, item in items.items():
        assert [reader.name for reader in READERS if reader.recognise(item)] == [name]


@pytest.mark.parametrize("secret", ["sk-test-965eda32-dae4-4550-aaaabbbbcccc"])
def test_secrets_are_kept_nowhere(tmp_path, secret):
    told = {"api_key": secret, "text": f"password={secret}"}
    action = {"login": told}
    step = browser_use_step(1, model_output={"action": [action], "memory": f"token={secret}"})
    call = {"tool_call_id": "c", "function_name": "login", "arguments": told}
    found = [
        *read(OsworldReader(), osworld(tmp_path / "o", [osworld_line(1, response=told)])),
        *read(BrowserUseReader(), browser_use(tmp_path / "b", [step])),
        *read(BrowserGymReader(), browsergym(tmp_path / "g", err_msg=f"api_key={secret}")),
        *read(AtifReader(), atif(tmp_path / "a", [atif_step(1, tool_calls=[call])], notes=told)),
    ]
    assert all(secret not in repr(record) for record in found)


KEYS = [
    "step_num", "action", "action_timestamp", "response", "screenshot_file", "Error", "info",
    "model_output", "result", "state", "metadata", "state_message", "screenshot", "action_index",
    "screenshot_path", "step_number", "step_end_time", "error", "long_term_memory", "judgement",
    "step_id", "source", "message", "tool_calls", "observation", "results", "content", "path",
    "image_url", "timestamp", "arguments", "function_name", "metrics", "steps", "trajectory_id",
    "session_id", "extra", "reward", "subagent_trajectories", "final_metrics", "agent",
    "cum_reward", "err_msg", "n_steps", "obs", "goal", "agent_info", "kind", "step", "parameters",
    "action_type", "current_state", "images", "data", "is_done", "button", "x", "y", "type",
]  # fmt: skip
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["agent", "user", "../x", "step_1.png", "ATIF-v1.7", "20251124@010203"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), ANY, max_size=12)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ANY, OBJECTS, OBJECTS)
def test_no_json_of_any_shape_is_fatal(tmp_path, value, first, second):
    items = [
        (OsworldReader(), osworld(tmp_path / "o", [])),
        (BrowserUseReader(), browser_use(tmp_path / "b", [value, first, second])),
        (BrowserGymReader(), browsergym(tmp_path / "g", **second)),
        (AtifReader(), atif(tmp_path / "a", [value, first, second], **second | {"steps": None})),
    ]
    lines = "\n".join(map(json.dumps, [value, first, second]))
    (items[0][1] / "traj.jsonl").write_text(lines)
    (items[2][1] / "steps_info.json").write_text(json.dumps(first))
    (items[2][1] / "tape.json").write_text(json.dumps({"steps": [value, first]}))
    for reader, item in items:
        records = read(reader, item)
        assert read(reader, item) == records
        assert len(set(ids(records))) == len(ids(records))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_cut_or_changed_byte_is_fatal(tmp_path, data):
    for reader, write in FILES:
        item = write(tmp_path)
        content = bytearray(item.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
        item.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        records = read(reader, item)
        assert read(reader, item) == records
        list(reader.files(item))
