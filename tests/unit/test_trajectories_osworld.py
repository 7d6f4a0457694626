import json
import re
from zoneinfo import ZoneInfo

import pytest

from agentruns.models import (
    AgentTask,
    Evaluation,
    LogEntry,
    ProgressUpdate,
    Status,
    Upload,
    new_id,
)
from agentruns.trajectories import OsworldReader, find_reader
from tests.unit.cua_folders import data_url, png
from tests.unit.foreign_runs import ids, of, osworld, osworld_line, read, reasons

READER = OsworldReader()


def test_a_run_becomes_a_task_steps_pictures_and_a_verdict(tmp_path):
    item = osworld(tmp_path, [osworld_line(1), osworld_line(2, "20251124@010209")], "0.5")
    records = read(READER, item)
    task, steps, (verdict,) = records[0], of(ProgressUpdate, records), of(Evaluation, records)
    assert reasons(records) == []
    assert task.status is Status.COMPLETED
    assert task.metadata["source_ref"] == "osworld:pyautogui/screenshot/gpt/chrome/task-1"
    assert [(step.step, step.message) for step in steps] == [
        (1, "pyautogui pyautogui.click(1, 2)"),
        (2, "pyautogui pyautogui.click(1, 2)"),
    ]
    assert steps[0].data["thought"] == "I click, step 1"
    assert [u.file.metadata["primary"] for u in of(Upload, records)] == [True, True]
    assert (verdict.scorer, verdict.score) == ("imported:osworld-result", 0.5)
    assert (task.created_at, task.finished_at) == (steps[0].timestamp, steps[1].timestamp)


def test_a_run_reads_equal_each_time_with_ids_of_its_own(tmp_path):
    item = osworld(tmp_path, [osworld_line(1), osworld_line(1), osworld_line(2)])
    records = read(READER, item)
    assert read(READER, item) == records
    assert len(set(ids(records))) == len(ids(records))


def test_a_run_that_was_moved_is_the_same_task(tmp_path):
    item = osworld(tmp_path / "a", [osworld_line(1)])
    moved = osworld(tmp_path / "b", [osworld_line(1)])
    assert read(READER, item)[0].id == read(READER, moved)[0].id


def test_several_actions_of_one_step_have_one_primary_picture(tmp_path):
    lines = [osworld_line(1, f"20251124@01020{n}") for n in (3, 4, 5)]
    records = read(READER, osworld(tmp_path, lines))
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 1, 1]
    assert [u.file.metadata["primary"] for u in of(Upload, records)] == [False, False, True]
    answers = [e for e in of(LogEntry, records) if e.data["kind"] == "answer"]
    assert len(answers) == 1


@pytest.mark.parametrize("time", ["20251124@010203", "20251124@010203250000", "20251124@010203_25"])
def test_local_times_are_taken_in_the_zone_that_was_told(tmp_path, time):
    item = osworld(tmp_path, [osworld_line(1, time)])
    task, *rest = read(READER, item, timezone=ZoneInfo("Europe/Berlin"))
    assert re.match(r"2025-11-24T00:02:03(\.250000)?\+00:00", task.created_at.isoformat())
    assert task.metadata["time_from"] == "file, a local time taken as Europe/Berlin"
    step = of(ProgressUpdate, rest)[0]
    assert step.data["time_from"] == "file, a local time taken as Europe/Berlin"


@pytest.mark.parametrize("time", ["soon", 12, [], "20991124@010203", "20251399@010203", "0" * 400])
def test_an_impossible_time_is_a_problem_and_the_step_is_kept(tmp_path, time):
    line = osworld_line(2) | {"action_timestamp": time, "screenshot_file": None}
    records = read(READER, osworld(tmp_path, [osworld_line(1), line]))
    assert reasons(records) == ["action_timestamp holds no possible time."]
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 2]


def test_an_error_line_is_a_failed_run_whatever_it_claims(tmp_path):
    error = {"Error": "Time limit exceeded in chrome/task-1"}
    records = read(READER, osworld(tmp_path, [osworld_line(1), error], None))
    assert records[0].status is Status.FAILED
    assert [e.message for e in of(LogEntry, records) if e.level == "error"] == [
        "the runner stopped: Time limit exceeded in chrome/task-1"
    ]


def test_a_run_that_went_on_after_an_error_is_not_failed(tmp_path):
    lines = [osworld_line(1), {"Error": "x"}, osworld_line(1, "20251124@020203")]
    records = read(READER, osworld(tmp_path, lines))
    assert records[0].status is Status.COMPLETED
    assert [step.data["attempt"] for step in of(ProgressUpdate, records)] == [1, 1]


def test_a_run_without_result_is_interrupted(tmp_path):
    item = osworld(tmp_path, [osworld_line(1)], None)
    assert read(READER, item)[0].status is Status.INTERRUPTED
    assert read(READER, item, unfinished=Status.IN_PROGRESS)[0].finished_at is None
    assert of(Evaluation, read(READER, item)) == []


@pytest.mark.parametrize(
    ("result", "score", "problems"),
    [
        ("True", 1, 0),
        ("False", 0, 0),
        ("0.0", 0, 0),
        ("-1", None, 1),
        ("oops", None, 1),
        ("", None, 1),
        ("nan", None, 1),
        ("7", None, 1),
        ("\x00", None, 1),
    ],
)
def test_a_result_of_any_form_is_kept_as_it_is(tmp_path, result, score, problems):
    records = read(READER, osworld(tmp_path, [osworld_line(1)], result))
    (verdict,) = of(Evaluation, records)
    assert verdict.score == score
    assert verdict.metrics["raw"] == result.replace("\0", "\ufffd")
    assert len(reasons(records)) == problems


def test_what_an_append_repeated_is_left_out_and_told(tmp_path):
    lines = [osworld_line(1), osworld_line(2)]
    records = read(READER, osworld(tmp_path, lines * 2))
    assert len(of(ProgressUpdate, records)) == 2
    assert ["repeats" in reason for reason in reasons(records)] == [True, True]


def test_a_second_attempt_in_one_file_is_told_apart(tmp_path):
    later = [osworld_line(n, f"20251124@02020{n}") for n in (1, 2)]
    records = read(READER, osworld(tmp_path, [osworld_line(1), osworld_line(2), *later]))
    assert [step.data["attempt"] for step in of(ProgressUpdate, records)] == [1, 1, 2, 2]
    assert reasons(records) == []


def test_a_dangling_picture_falls_back_to_that_of_the_step(tmp_path):
    item = osworld(tmp_path, [osworld_line(1)])
    next(item.glob("step_1_*.png")).rename(item / "step_1.png")
    records = read(READER, item)
    assert [u.file.metadata["name"] for u in of(Upload, records)] == ["step_1.png"]
    (item / "step_1.png").unlink()
    assert reasons(read(READER, item)) == [
        "The step refers to a screenshot that is not in its folder."
    ]


def test_os_symphony_looks_before_it_acts(tmp_path):
    line = {"instruction": "Find it", "step_num": 1, "action": "DONE", "response": {"plan": "p"}}
    item = osworld(tmp_path, [line | {"screenshot_file": "step_1_milestone.png"}])
    (item / "step_1_milestone_draw.png").write_bytes(png(9))
    (item / "traj_1.json").write_text(json.dumps(line))
    records = read(READER, item)
    assert (records[0].title, records[0].description) == ("Find it", "Find it")
    kinds = [u.file.metadata["kind"] for u in of(Upload, records)]
    assert kinds == ["before", "annotated"]
    assert [step.message for step in of(ProgressUpdate, records)] == ["DONE"]


def test_a_run_in_numbered_files_is_read_in_their_order(tmp_path):
    item = osworld(tmp_path)
    (item / "traj.jsonl").unlink()
    for number in (10, 2):
        (item / f"traj_{number}.json").write_text(json.dumps({"step_num": number, "action": "W"}))
    assert READER.recognise(item)
    assert [step.step for step in of(ProgressUpdate, read(READER, item))] == [2, 10]


@pytest.mark.parametrize("write", [json.dumps, str], ids=["json", "python literal"])
def test_a_missing_result_is_looked_up_in_the_list_of_the_model(tmp_path, write):
    item = osworld(tmp_path, [osworld_line(1)], None)
    (item.parents[1] / "all_result.json").write_text(write({"chrome": {"task-1": 0.25}}))
    (verdict,) = of(Evaluation, read(READER, item))
    assert (verdict.scorer, verdict.score) == ("imported:osworld-summary", 0.25)


def test_a_missing_result_is_looked_up_in_the_summary(tmp_path):
    item = osworld(tmp_path, [osworld_line(1)], None)
    (tmp_path / "summary").mkdir()
    result = {"application": "chrome", "task_id": "task-1", "status": "error", "score": 0}
    listed = [{"application": "os", "task_id": "task-1"}, {**result, "err_message": "boom"}]
    (tmp_path / "summary" / "results.json").write_text(json.dumps(listed))
    records = read(READER, item)
    assert of(Evaluation, records)[0].score == 0
    assert of(LogEntry, records)[-1].message == "the runner: boom"


def test_a_crash_before_the_first_step_is_still_a_run(tmp_path):
    item = osworld(tmp_path, [], None)
    (item / "runtime.log").write_text("2025-11-24 01:02:03 INFO start\n")
    assert READER.recognise(item)
    assert of(AgentTask, read(READER, item))[0].status is Status.INTERRUPTED


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"action_type": "CLICK", "parameters": {"x": 3, "y": 4}}, "click (3, 4)"),
        ("WAIT", "WAIT"),
        (None, "no action"),
        ([1], "action [1]"),
    ],
)
def test_an_action_of_any_form_is_said_in_words(tmp_path, action, words):
    records = read(READER, osworld(tmp_path, [osworld_line(1, action=action)]))
    assert of(ProgressUpdate, records)[0].message == words


def test_what_the_runner_was_told_is_kept_without_its_secrets(tmp_path):
    item = osworld(tmp_path, [osworld_line(1)])
    told = {"model": "gpt", "api_key": "hunter2hunter2"}
    (item.parents[1] / "args.json").write_text(json.dumps(told))
    records = read(READER, item)
    assert records[0].metadata["args"]["model"] == "gpt"
    assert all("hunter2" not in repr(record) for record in records)


def test_runs_are_found_below_results_without_the_onboarding(tmp_path):
    item = osworld(tmp_path, [osworld_line(1)])
    osworld(tmp_path / "onboard", [osworld_line(1)])
    assert list(READER.items(tmp_path)) == [item]
    assert find_reader(item).name == "osworld"
    assert set(READER.files(item)) == set(item.iterdir())


def test_a_traj_file_of_something_else_is_not_taken(tmp_path):
    (tmp_path / "traj.jsonl").write_text('{"points": [1, 2]}\n')
    assert not READER.recognise(tmp_path)


def test_reading_on_skips_the_lines_read_before(tmp_path):
    item, task_id = osworld(tmp_path, [osworld_line(n) for n in (1, 2, 3)]), new_id()
    rest = read(READER, item, task_id=task_id, after=1)
    assert [step.step for step in of(ProgressUpdate, rest)] == [3]
    assert of(AgentTask, rest) == []
    assert set(ids(rest)) <= set(ids(read(READER, item, task_id=task_id)))


def test_pictures_that_every_line_repeats_are_kept_once(tmp_path):
    seen = [
        {"role": "user", "content": [{"image_url": {"url": data_url(png(70 + n))}} for n in (1, 2)]}
    ]
    lines = [osworld_line(n, messages=seen, screenshot_file=None) for n in (1, 2, 3)]
    uploads = of(Upload, read(READER, osworld(tmp_path, lines)))
    assert [upload.content for upload in uploads] == [png(71), png(72)]
