import base64
import json

import pytest

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, Status, Upload
from agentruns.trajectories import CuaReader, Problem
from tests.unit.cua_folders import CuaFolder, data_url, png

CLICK = {"type": "click", "x": 412, "y": 230, "button": "left"}


@pytest.fixture
def folder(tmp_path):
    return CuaFolder(tmp_path).start()


def read(folder, **options):
    return list(CuaReader().read(folder.path, "a1", **options))


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def steps_of(records):
    return [s for s in of(ProgressUpdate, records) if s.data["kind"] == "action"]


def errors_of(records):
    return [entry for entry in of(LogEntry, records) if entry.level == "error"]


@pytest.mark.parametrize(
    "name",
    ["2025-09-01_claude-3.5-sonnet_101112_a1b2", "2025-09-01_llama3:8b_101112_a1b2", "my run é"],
)
def test_old_ids_with_other_characters_are_read(tmp_path, name):
    folder = CuaFolder(tmp_path, name).start()
    folder.act(CLICK)
    records = read(folder)
    assert records[0].metadata["source_ref"] == f"cua:{name}"
    assert len(steps_of(records)) == 1
    assert list(CuaReader().items(tmp_path)) == [folder.path]


def test_artifacts_without_times_happen_when_the_file_before_them_did(tmp_path):
    folder = CuaFolder(tmp_path, with_times=False).start()
    folder.act(CLICK)
    task, *rest = read(folder)
    assert {entry.data["time_from"] for entry in of(LogEntry, rest)} == {"file before it"}
    assert {step.timestamp for step in steps_of(rest)} == {task.created_at}


def test_without_metadata_times_come_from_the_name_of_the_run(tmp_path):
    folder = CuaFolder(tmp_path, with_times=False).start()
    folder.act(CLICK)
    (folder.path / "metadata.json").unlink()
    records = read(folder)
    task = of(AgentTask, records)[0]
    assert task.metadata["time_from"] == "name of the run, as local time"
    assert task.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S") == "2026-11-23 01:01:46"
    assert task.status is Status.INTERRUPTED
    assert [problem.path for problem in of(Problem, records)] == ["metadata.json"]


def test_a_model_answer_in_the_same_turn_as_its_action_is_linked(tmp_path):
    folder = CuaFolder(tmp_path, with_answer_turns=False).start()
    folder.act(CLICK)
    folder.act(CLICK)
    steps = steps_of(read(folder))
    assert [step.data["answer"]["reasoning"] for step in steps] == ["I will click"] * 2
    assert [u.file.metadata["step"] for u in of(Upload, read(folder))] == [1, 1, 2, 2]


def test_runs_appended_to_one_folder_go_on_counting(folder):
    folder.act(CLICK)
    folder.end()
    first = read(folder)
    folder.history.append({"role": "user", "content": "And back"})
    folder.act(CLICK)
    folder.end()
    records = read(folder)
    assert [step.step for step in steps_of(records)] == [1, 2]
    assert records[0].id == first[0].id
    ends = [of(ProgressUpdate, each)[-1].id for each in (first, records)]
    assert ends[0] != ends[1]


def test_a_terminate_action_needs_no_picture(folder):
    folder.act({"type": "terminate"}, picture=False)
    records = read(folder)
    assert steps_of(records)[0].message == "terminate"
    assert steps_of(records)[0].data["result"][0]["output"] == {"terminated": True}
    assert of(Problem, records) == []


def test_a_step_whose_picture_is_gone_is_a_problem_and_still_a_step(folder):
    folder.act(CLICK, picture=False)
    records = read(folder)
    assert len(steps_of(records)) == 1
    assert "not in its turn" in of(Problem, records)[0].reason


def test_paths_into_a_screenshot_folder_are_kept_as_text(folder):
    shot = {"type": "input_image", "image_url": "/shots/call_1.png"}
    folder.act(CLICK)
    folder.end(new_items=[{"type": "computer_call_output", "call_id": "c", "output": shot}])
    assert of(Problem, read(folder)) == []


@pytest.mark.parametrize("write", [str, json.dumps], ids=["python literal", "json"])
def test_a_picture_in_a_function_output_is_the_steps_screenshot(folder, write):
    output = write({"success": True, "screenshot": base64.b64encode(png(9)).decode()})
    arguments = '{"action": "left_click", "coordinate": [121, 469]}'
    folder.call("computer", arguments, output, drawn="screenshot_action")
    records = read(folder)
    assert steps_of(records)[0].message == "left_click (121, 469)"
    assert steps_of(records)[0].data["result"][0]["output"]["success"] is True
    kinds = [(u.file.metadata["kind"], u.file.metadata["primary"]) for u in of(Upload, records)]
    assert kinds == [("after", True), ("annotated", False)]
    assert of(Upload, records)[0].content == png(9)


def test_the_annotated_copy_stands_for_a_step_that_has_no_other_picture(folder):
    folder.call("computer", '{"x": 1, "y": 2}', "clicked", drawn="screenshot_action")
    upload = of(Upload, read(folder))[0]
    assert upload.file.metadata["kind"] == "annotated"
    assert upload.file.metadata["primary"] is True


@pytest.mark.parametrize(
    "name", ["screenshot_before", "annotated_image", "annotated_form_ui", "new"]
)
def test_pictures_of_particular_agents_are_kept_beside_the_screenshot(folder, name):
    folder.save(name, png(77))
    folder.act(CLICK)
    uploads = of(Upload, read(folder))
    assert {u.file.metadata["name"] for u in uploads} >= {name}
    assert sum(u.file.metadata["primary"] for u in uploads) == 1


def test_a_failed_call_in_the_history_is_one_error(folder):
    folder.fail("Element not found", "call_x")
    folder.act(CLICK)
    folder.fail("Timed out", "call_y")
    folder.end()
    assert [e.message for e in errors_of(read(folder))] == [
        "call failed: Element not found",
        "call failed: Timed out",
    ]


def test_a_failed_call_before_a_crash_is_told_by_metadata(folder):
    folder.fail("Element not found", "call_x")
    folder.write_metadata(status="completed", new_items=folder.history[1:])
    assert [e.message for e in errors_of(read(folder))] == ["call failed: Element not found"]


def test_a_call_that_reports_an_error_is_a_failed_step(folder):
    folder.call("computer", "{}", "{'success': False, 'error': 'no such window'}", drawn="")
    records = read(folder)
    assert steps_of(records)[0].data["error"] == "no such window"
    assert [e.message for e in errors_of(records)] == ["call failed: no such window"]


def test_an_error_of_the_provider_is_an_error(folder):
    folder.save("api_result", {"kwargs": {}, "result": {"error": {"code": 429}}})
    assert "429" in errors_of(read(folder))[0].message


def test_pictures_that_the_user_sent_are_taken_out_of_the_assignment(tmp_path):
    content = [{"type": "input_text", "text": "Find this"}, {"image_url": data_url(png(5))}]
    folder = CuaFolder(tmp_path).start(content)
    folder.act(CLICK)
    task, *rest = read(folder)
    assert task.title == "Find this"
    assert of(Upload, rest)[0].content == png(5)
    assert of(Upload, rest)[0].file.metadata["kind"] == "message"
    assert "base64" not in json.dumps(task.metadata)


def test_a_picture_that_only_the_history_has_is_kept_once(folder):
    folder.act(CLICK)
    shots = [{"role": "user", "content": [{"image_url": data_url(png(n))}]} for n in (3, 50, 50)]
    folder.end(new_items=shots)
    kept = [u.content for u in of(Upload, read(folder)) if u.file.metadata["kind"] == "history"]
    assert kept == [png(50)]  # the saver wrote number 3 as the step's own screenshot


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (CLICK, "click (412, 230)"),
        ({"type": "click", "x": 1, "y": 2, "button": "right"}, "right click (1, 2)"),
        ({"type": "type", "text": "hello"}, "type 'hello'"),
        ({"type": "keypress", "keys": ["ctrl", "c"]}, "keypress ctrl+c"),
        (
            {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 100},
            "scroll by (0, 100) at (1, 2)",
        ),
        ({"type": "drag", "path": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}, "drag (1, 2) to (3, 4)"),
        (
            {"type": "drag", "start_x": 1, "start_y": 2, "end_x": 3, "end_y": 4},
            "drag (1, 2) to (3, 4)",
        ),
        ({"type": "wait"}, "wait"),
        ({"type": "teleport", "where": "home"}, "teleport where='home'"),
        ({}, "unknown action"),
    ],
)
def test_an_action_is_said_in_words(folder, action, words):
    folder.act(action, picture=False)
    assert steps_of(read(folder))[0].message == words


@pytest.mark.parametrize("key", ["hunter2hunter2", "sk-test-965eda32-dae4-4550"])
def test_secrets_in_the_arguments_of_a_run_are_redacted_wherever_they_are(tmp_path, key):
    folder = CuaFolder(tmp_path).start(api_key=key, extra={"headers": {"Authorization": key}})
    folder.call("http", json.dumps({"password": key, "api_key": key}), f"token={key}", drawn="")
    assert all(key not in repr(record) for record in read(folder))
