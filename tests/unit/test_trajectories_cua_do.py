import json
import os
import struct
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from agentruns.models import AgentTask, ProgressUpdate, Status, Upload, new_id
from agentruns.trajectories import CuaDoReader, CuaReader, Problem, find_reader
from tests.unit.accounts import is_in_order, of, sources
from tests.unit.cua_folders import png
from tests.unit.json_trees import OBJECTS

NOON = 1785585600
ACTIONS = [{"type": "click", "x": 1, "y": 2}, {"type": "type", "text": "hello"}]


def turn(folder, number, action, at=NOON, picture=True):
    here = folder / f"turn_{number:03d}"
    here.mkdir(parents=True)
    call = {"type": "computer_call", "id": "c", "call_id": f"call_{number}", "action": action}
    response = {"id": "r", "object": "response", "created_at": at + number, "output": [call]}
    document = {"model": "cua-cli", "response": response}
    (here / f"turn_{number:03d}_agent_response.json").write_text(json.dumps(document))
    if picture:
        (here / "screenshot.png").write_bytes(png(number))


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "my-vm" / "20260801-140000"
    for number, action in enumerate(ACTIONS, start=1):
        turn(folder, number, action)
    return folder


@pytest.fixture
def packed(session):
    path = session.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for child in sorted(session.rglob("*")):
            if child.is_file():
                archive.write(child, child.relative_to(session))
    return path


def read(item, **options):
    return list(CuaDoReader().read(item, "a1", **options))


def first_json(session):
    return session / "turn_001" / "turn_001_agent_response.json"


def add(packed, name, content=b"x", **how):
    with zipfile.ZipFile(packed, "a") as archive:
        info = zipfile.ZipInfo(name)
        for key, value in how.items():
            setattr(info, key, value)
        archive.writestr(info, content)


def test_each_action_is_a_step_with_the_screenshot_after_it(session):
    records = read(session)
    assert of(Problem, records) == []
    assert is_in_order(records)
    assert [(s.step, s.message) for s in of(ProgressUpdate, records)] == [
        (1, "click (1, 2)"),
        (2, "type 'hello'"),
    ]
    shown = [u.file.metadata for u in of(Upload, records)]
    assert [(s["step"], s["kind"], s["primary"]) for s in shown] == [
        (1, "after", True),
        (2, "after", True),
    ]


def test_times_are_those_of_the_files_and_need_no_zone(session):
    task, *rest = read(session, timezone=timezone(timedelta(hours=9)))
    assert task.created_at == datetime.fromtimestamp(NOON + 1, UTC)
    assert task.metadata["time_from"] == "file"
    assert "timezone" not in task.metadata
    assert task.finished_at == datetime.fromtimestamp(NOON + 2, UTC)
    assert of(ProgressUpdate, rest)[1].timestamp == task.finished_at


def test_without_times_in_the_files_the_name_is_a_local_time_and_says_so(session):
    for file in session.rglob("*.json"):
        document = json.loads(file.read_text())
        del document["response"]["created_at"]
        file.write_text(json.dumps(document))
    zone = timezone(timedelta(hours=2))
    task = read(session, timezone=zone)[0]
    assert task.created_at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert task.metadata["timezone"] == "UTC+02:00"
    assert "taken as UTC+02:00" in task.metadata["time_from"]


def test_turns_are_in_the_order_of_their_numbers(session):
    for number in (10, 1000):
        turn(session, number, {"type": "wait"})
    assert [s.data["call_id"] for s in of(ProgressUpdate, read(session))] == [
        "call_1",
        "call_2",
        "call_10",
        "call_1000",
    ]


def test_a_session_never_says_that_it_ended(session):
    assert read(session)[0].status is Status.INTERRUPTED
    assert read(session, unfinished=Status.IN_PROGRESS)[0].finished_at is None
    assert of(AgentTask, read(session, task_id=new_id())) == []


def test_it_is_told_from_other_formats(session, packed, tmp_path):
    assert find_reader(session).name == "cua_do"
    assert find_reader(packed).name == "cua_do"
    assert not CuaReader().recognise(session)
    assert list(CuaDoReader().items(tmp_path)) == [session, packed]
    (tmp_path / "other.zip").write_bytes(b"PK")
    assert find_reader(tmp_path / "other.zip") is None
    assert find_reader(tmp_path) is None


def test_a_zip_is_the_same_run_as_its_folder(session, packed):
    assert read(packed) == read(session)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b'{"response": {', "cut off"),
        (b"[]", "not an object"),
        (b"{}", "does not hold the call"),
        (b'{"response": {"output": [{"type": "message"}, 5, null]}}', "does not hold the call"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"\xff"', "not UTF-8"),
    ],
)
def test_a_broken_answer_is_a_problem_and_the_rest_is_read(session, content, words):
    first_json(session).write_bytes(content)
    records = read(session)
    (problem,) = of(Problem, records)
    assert problem.path == "turn_001/turn_001_agent_response.json"
    assert words in problem.reason
    assert len(of(ProgressUpdate, records)) == 1
    assert len(of(Upload, records)) == 2


@pytest.mark.parametrize("content", [b"", png(1)[:90], b"<html>"])
def test_a_broken_screenshot_is_a_problem(session, content):
    (session / "turn_001" / "screenshot.png").write_bytes(content)
    (problem,) = of(Problem, read(session))
    assert problem.path == "turn_001/screenshot.png"


def test_a_picture_of_enormous_size_is_told_without_being_decoded(session):
    huge = png(1)
    header = struct.pack(">II", 20_000, 20_000)
    (session / "turn_001" / "screenshot.png").write_bytes(huge[:16] + header + huge[24:])
    records = read(session)
    (problem,) = of(Problem, records)
    assert "400,000,000 pixels" in problem.reason
    assert len(of(Upload, records)) == 1


@pytest.mark.parametrize("at", ["soon", -5, 1e300, True, [], None])
def test_an_impossible_time_is_a_problem(session, at):
    document = json.loads(first_json(session).read_text())
    document["response"]["created_at"] = at
    first_json(session).write_text(json.dumps(document))
    records = read(session)
    assert "no possible time" in of(Problem, records)[0].reason
    assert len(of(ProgressUpdate, records)) == 2


def test_links_pipes_and_strangers_are_told(session, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (session / "turn_003").symlink_to(tmp_path)
    (session / "turn_001" / "turn_009_agent_response.json").symlink_to(tmp_path / "secret")
    os.mkfifo(session / "turn_001" / "pipe.json")
    Path(os.fsdecode(bytes(session) + b"/caf\xe9.txt")).write_bytes(b"x")
    (session / "thumb.png").write_bytes(png(7))
    records = read(session)
    assert {p.path for p in of(Problem, records)} == {
        "turn_003",
        "turn_001/turn_009_agent_response.json",
        "turn_001/pipe.json",
        "caf\\xe9.txt",
    }
    assert of(Upload, records)[-1].file.metadata["kind"] == "loose"


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("../outside.json", {}, "out of the zip"),
        ("/etc/passwd", {}, "out of the zip"),
        ("turn_001/../../x", {}, "out of the zip"),
        ("a\\..\\b", {}, "out of the zip"),
        ("link", {"external_attr": 0o120777 << 16}, "symbolic link"),
        ("turn_002/screenshot.png", {}, "several files of this name"),
        ("packed.bz2", {"compress_type": zipfile.ZIP_BZIP2}, "compressed in a way"),
        ("notes.txt", {}, "does not have"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_a_zip_should_not_hold_is_told_and_the_rest_is_read(packed, name, how, words):
    add(packed, name, **how)
    records = read(packed)
    (problem,) = of(Problem, records)
    assert words in problem.reason
    assert len(of(ProgressUpdate, records)) == 2


def test_a_zip_that_unpacks_to_too_much_is_not_unpacked(packed, monkeypatch):
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b"0" * 40_000_000)
    (problem,) = of(Problem, read(packed))
    assert (problem.path, "more than the" in problem.reason) == ("bomb.json", True)
    monkeypatch.setattr("agentruns.trajectories.cua_do.source.LARGEST_WHOLE", 3000)
    assert any("more bytes than are read" in p.reason for p in of(Problem, read(packed)))


def test_a_zip_that_lies_about_a_size_is_a_problem(packed):
    content = bytearray(packed.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 5)
    packed.write_bytes(bytes(content))
    assert len(of(Problem, read(packed))) == 1


@pytest.mark.parametrize("cut", [0, 10, 300, -30, -1])
def test_a_zip_that_is_cut_off_is_none_of_ours_and_one_problem(packed, cut):
    packed.write_bytes(packed.read_bytes()[:cut])
    assert find_reader(packed) is None
    (problem,) = read(packed)
    assert isinstance(problem, Problem)


def test_a_zip_with_a_list_too_long_for_memory_is_not_opened(packed, monkeypatch):
    monkeypatch.setattr("agentruns.trajectories.cua_do.source.LARGEST_LIST", 100)
    assert not CuaDoReader().recognise(packed)
    assert "too long" in of(Problem, read(packed))[0].reason


def test_a_link_to_a_zip_is_not_followed(packed, tmp_path):
    link = tmp_path / "link.zip"
    link.symlink_to(packed)
    assert find_reader(link) is None
    assert set(map(type, read(link))) == {Problem}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(OBJECTS, OBJECTS)
def test_no_recording_of_any_json_is_fatal_or_loses_a_file(session, one, two):
    first_json(session).write_text(json.dumps({"response": one}))
    (session / "turn_002" / "turn_002_agent_response.json").write_text(json.dumps(two))
    records = read(session)
    assert records == read(session)
    assert is_in_order(records)
    there = {str(file.relative_to(session)) for file in session.rglob("*") if file.is_file()}
    assert sources(records) == there
