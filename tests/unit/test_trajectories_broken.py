import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, Status, Upload
from agentruns.trajectories import CuaReader, Problem, files
from agentruns.trajectories.long_json import without_long_texts
from tests.unit.cua_folders import FIRST_TICK, CuaFolder, data_url, png
from tests.unit.json_trees import OBJECTS

CLICK = {"type": "click", "x": 412, "y": 230}
SECRET = b"outside the run"


@pytest.fixture
def folder(tmp_path):
    """Two steps; the tests spoil something of the first and expect the second."""
    folder = CuaFolder(tmp_path).start()
    folder.act(CLICK)
    folder.act(CLICK)
    return folder


def read(folder):
    return list(CuaReader().read(folder.path, "a1"))


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def only_problem(folder):
    (problem,) = of(Problem, read(folder))
    return problem


def first(folder, name):
    return min(folder.path.glob(f"turn_*/*_{name}"))


@pytest.mark.promise(12, by="us")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b'{"item": {"type"', "cut off"),
        (b"[1, 2]", "JSON list, not an object"),
        (b"null", "not an object"),
        (b'{"item": [], "result": {}}', "does not hold the call"),
        (b"{}", "does not hold the call"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "too long"),
    ],
)
def test_a_broken_artifact_is_one_problem_and_the_rest_is_read(folder, content, words):
    first(folder, "computer_call_result.json").write_bytes(content)
    problem = only_problem(folder)
    assert problem.path == "turn_001/0004_computer_call_result.json"
    assert words in problem.reason
    assert [step.step for step in of(ProgressUpdate, read(folder))] == [2]


def test_a_problem_names_the_byte_where_sense_ends(folder):
    first(folder, "computer_call_result.json").write_text('{"ä": }')
    assert only_problem(folder).offset == 7


@pytest.mark.promise(12, by="us")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (png(1)[:100], "cut off"),
        (b"<!doctype html><title>502</title>", "not a PNG"),
    ],
)
def test_a_broken_picture_is_a_problem_and_not_stored(folder, content, words):
    first(folder, "screenshot_after.png").write_bytes(content)
    problem = only_problem(folder)
    assert (problem.path, problem.offset) == ("turn_001/0003_screenshot_after.png", len(content))
    assert words in problem.reason
    assert len(of(Upload, read(folder))) == 3


@pytest.mark.parametrize("tick", ["soon", "-5", "0", "9" * 19, "9" * 30, 1.5, None, True, [], {}])
def test_an_impossible_time_is_a_problem_at_most(folder, tick):
    file = first(folder, "computer_call_result.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "created_at": tick}))
    records = read(folder)
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 2]
    assert all("no possible time" in problem.reason for problem in of(Problem, records))


def test_times_as_numbers_are_times(folder):
    folder.write_metadata(created_at=FIRST_TICK)
    assert read(folder)[0].metadata["time_from"] == "file"


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b'"x"', b'{"trajectory_id": 5, "kwargs": 7, "status": []}']
)
def test_without_usable_metadata_the_run_is_still_a_task(folder, content):
    metadata = folder.path / "metadata.json"
    metadata.unlink() if content is None else metadata.write_bytes(content)
    records = read(folder)
    (task,) = of(AgentTask, records)
    assert task.status is Status.INTERRUPTED
    assert folder.trajectory_id in task.title
    assert [problem.path for problem in of(Problem, records)] == ["metadata.json"]
    assert len(of(ProgressUpdate, records)) == 2


def test_nul_nan_and_huge_numbers_are_stored_as_text(folder):
    action = '{"type": "type", "text": "a\\u0000b\\ud800", "n": NaN, "i": Infinity, "b": 1e999}'
    file = first(folder, "computer_call_result.json")
    file.write_text(f'{{"item": {{"action": {action}, "call_id": "c"}}, "result": []}}')
    step = of(ProgressUpdate, read(folder))[0]
    assert step.data["action"]["text"] == "a\ufffdb\ufffd"
    assert step.data["action"]["n"] == "NaN"


def test_nesting_as_deep_as_python_reads_is_stored_wherever_it_is(folder):
    deep = "[" * 900 + "]" * 900
    outputs = f'[{{"type": "function_call_output", "output": {{"error": {deep}}}}}]'
    call = f'{{"item": {{"action": {{"type": "x", "deep": {deep}}}}}, "result": {outputs}}}'
    first(folder, "computer_call_result.json").write_text(call)
    first(folder, "agent_response.json").write_text(f'{{"response": {{"output": {outputs}}}}}')
    first(folder, "api_start.json").write_text(f'{{"kwargs": {{"messages": {outputs}}}}}')
    metadata = (
        f'{{"status": "completed", "kwargs": {{"messages": {deep}}}, "new_items": {outputs}}}'
    )
    (folder.path / "metadata.json").write_text(metadata)
    records = read(folder)
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 2, 2]
    assert of(Problem, records) == []


@pytest.mark.promise(12, by="us")
def test_a_huge_output_is_clipped_with_a_note(folder):
    folder.call("shell", "{}", {"lines": ["x" * 1000] * 4_000}, drawn="")
    step = of(ProgressUpdate, read(folder))[-1]
    assert len(step.model_dump_json()) < 1_000_000
    assert "left out" in step.model_dump_json()


def test_a_huge_title_and_assignment_fit_their_fields(tmp_path):
    folder = CuaFolder(tmp_path).start("x" * 5_000_000)
    task = read(folder)[0]
    assert len(task.title) <= 500
    assert len(task.model_dump_json()) < 1_000_000


@pytest.mark.promise(12, by="us")
def test_metadata_larger_than_the_limit_is_read_without_its_long_texts(folder, monkeypatch):
    shots = [{"image_url": data_url(png(seed, noise=9_000))} for seed in range(50)]
    folder.end(new_items=shots)
    whole = read(folder)[0]
    monkeypatch.setattr("agentruns.trajectories.cua.beginning.LARGEST", 200_000)
    records = read(folder)
    task = of(AgentTask, records)[0]
    assert task.status is Status.COMPLETED
    assert task.metadata["usage"] == whole.metadata["usage"]
    assert "long texts and pictures were left out" in of(Problem, records)[0].reason


@settings(deadline=None)  # the machine may be busy
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
    ),
    st.integers(1, 40),
)
def test_json_without_long_texts_is_json_of_the_same_shape(value, size):
    data = json.dumps(value).encode()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert json.loads(without_long_texts(pieces, 10_000)) == value
    json.loads(without_long_texts(pieces, 5))


@pytest.mark.promise(12, by="us")
def test_a_file_larger_than_the_limit_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("agentruns.trajectories.files.read_content.__defaults__", (800,))
    reasons = {problem.reason for problem in of(Problem, read(folder))}
    assert any("more than the 800 that are read" in reason for reason in reasons)


@pytest.mark.promise(13, by="us")
def test_links_are_never_followed(folder, tmp_path):
    (tmp_path / "secret.json").write_bytes(SECRET)
    (tmp_path / "elsewhere").mkdir()
    (folder.path / "turn_001" / "0099_agent_response.json").symlink_to(tmp_path / "secret.json")
    (folder.path / "turn_050").symlink_to(tmp_path / "elsewhere")
    (folder.path / "loose.png").symlink_to("/etc/passwd")
    problems = of(Problem, read(folder))
    assert {p.path for p in problems} == {
        "turn_001/0099_agent_response.json",
        "turn_050",
        "loose.png",
    }
    assert all("never followed" in problem.reason for problem in problems)


@pytest.mark.promise(13, by="us")
def test_a_link_put_in_place_of_a_listed_file_is_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0004_computer_call_result.json").write_bytes(SECRET)
    reading = CuaReader().read(folder.path, "a1")
    assert isinstance(next(reading), AgentTask)
    turn = folder.path / "turn_001"
    turn.rename(tmp_path / "moved")
    turn.symlink_to(outside)
    records = list(reading)
    assert {p.reason for p in of(Problem, records)} == {files.REASONS[20]}
    assert SECRET.decode() not in repr(records)


@pytest.mark.promise(13, by="us")
def test_pipes_sockets_and_unknown_folders_are_told_and_not_read(folder):
    os.mkfifo(folder.path / "turn_001" / "0098_agent_response.json")
    os.mkfifo(folder.path / "pipe")
    (folder.path / "notes").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder.path / "s"))
        paths = {problem.path for problem in of(Problem, read(folder))}
    assert paths == {"turn_001/0098_agent_response.json", "pipe", "notes", "s"}


def test_names_that_are_not_utf8_are_printable(folder):
    for name in (b"caf\xe9.txt", b"line\nbreak.txt"):
        Path(os.fsdecode(bytes(folder.path / "turn_001") + b"/" + name)).write_bytes(b"x")
    paths = sorted(problem.path for problem in of(Problem, read(folder)))
    assert paths == ["turn_001/caf\\xe9.txt", "turn_001/line\\nbreak.txt"]


def test_a_loose_picture_is_kept_and_other_strangers_are_told(folder):
    (folder.path / "thumb.png").write_bytes(png(3))
    (folder.path / "model.pkl").write_bytes(b"\x80\x04.")
    assert only_problem(folder).path == "model.pkl"
    assert of(Upload, read(folder))[-1].file.metadata["kind"] == "loose"


def test_a_kind_of_artifact_that_nobody_knows_is_kept_and_told(folder):
    folder.save("thoughts", {"deep": True})
    assert only_problem(folder).path.endswith("_thoughts.json")
    assert of(LogEntry, read(folder))[-1].data["content"]["deep"] is True


def test_a_file_that_vanishes_is_a_problem(folder):
    reading = CuaReader().read(folder.path, "a1")
    next(reading)
    first(folder, "computer_call_result.json").unlink()
    (problem,) = of(Problem, list(reading))
    assert "vanished" in problem.reason


def test_a_folder_that_vanishes_is_problems_and_no_error(folder):
    reading = CuaReader().read(folder.path, "a1")
    next(reading)
    folder.path.rename(folder.path.with_name("moved"))
    assert set(map(type, reading)) == {Problem}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_rights_is_a_problem(folder):
    first(folder, "computer_call_result.json").chmod(0)
    assert "may not be read" in only_problem(folder).reason


def test_an_empty_folder_is_no_run_and_reading_it_gives_a_problem(tmp_path):
    assert list(CuaReader().items(tmp_path)) == []
    assert isinstance(next(iter(CuaReader().read(tmp_path, "a1"))), Problem)


@pytest.mark.parametrize(
    "name", ["turn_001/screenshot.png", "turn_001/turn_001_agent_response.json"]
)
def test_formats_that_look_alike_are_not_taken_for_this_one(tmp_path, name):
    (tmp_path / "turn_001").mkdir()
    (tmp_path / name).write_bytes(b"{}")
    assert not CuaReader().recognise(tmp_path)


def test_two_runs_of_one_name_and_other_content_are_two_tasks(tmp_path):
    tasks = set()
    for copy, seed in enumerate(("Fly", "Swim")):
        folder = CuaFolder(tmp_path / str(copy)).start(seed)
        folder.act(CLICK)
        tasks.add(read(folder)[0].id)
    assert len(tasks) == 2


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(OBJECTS, OBJECTS, OBJECTS, OBJECTS)
def test_no_json_of_any_shape_is_fatal(folder, call, answer, start, metadata):
    first(folder, "computer_call_result.json").write_text(json.dumps(call))
    first(folder, "agent_response.json").write_text(json.dumps(answer))
    first(folder, "api_start.json").write_text(json.dumps(start))
    (folder.path / "metadata.json").write_text(json.dumps(metadata))
    records = read(folder)
    assert records == read(folder)
    assert 2 in {step.step for step in of(ProgressUpdate, records)}
