import base64
import json

import pytest

from agentruns.models import (
    AgentTask,
    Evaluation,
    LogEntry,
    Memory,
    ProgressUpdate,
    Status,
    Upload,
)
from agentruns.trajectories import BrowserUseReader, find_reader
from tests.unit.cua_folders import data_url, png
from tests.unit.foreign_runs import browser_use, browser_use_step, ids, of, read, reasons

READER = BrowserUseReader()


def test_a_history_becomes_a_task_steps_thoughts_and_memories(tmp_path):
    records = read(READER, browser_use(tmp_path))
    task, steps = records[0], of(ProgressUpdate, records)
    assert reasons(records) == []
    assert (task.title, task.status) == ("Book a flight", Status.COMPLETED)
    assert [(step.step, step.message) for step in steps] == [
        (1, "click_element index=1"),
        (2, "click_element index=2"),
    ]
    assert steps[0].data["thought"]["thinking"] == "Thought 1"
    assert [memory.content for memory in of(Memory, records)] == ["Clicked 1"]
    assert (task.created_at, task.finished_at) == (
        steps[0].timestamp.replace(microsecond=0),
        steps[1].timestamp,
    )


def test_pictures_are_found_beside_the_history_by_name(tmp_path):
    item = browser_use(tmp_path)
    uploads = of(Upload, read(READER, item))
    assert [u.content for u in uploads] == [png(1), png(2)]
    assert [u.file.metadata["primary"] for u in uploads] == [True, True]
    pictures = [tmp_path / "screenshots" / f"step_{n}.png" for n in (1, 2)]
    assert list(READER.files(item)) == [item, *pictures]


def test_a_picture_that_is_gone_is_a_problem(tmp_path):
    item = browser_use(tmp_path)
    (tmp_path / "screenshots" / "step_1.png").unlink()
    records = read(READER, item)
    assert reasons(records) == ["The step refers to a screenshot that is not beside the history."]
    assert len(of(ProgressUpdate, records)) == 2


@pytest.mark.parametrize("write", [data_url, lambda png: base64.b64encode(png).decode()])
def test_older_histories_hold_pictures_and_thoughts_elsewhere(tmp_path, write):
    output = {"current_state": {"memory": "old"}, "action": [{"go_to_url": {"url": "u"}}]}
    state = {"url": "u", "screenshot": write(png(5))}
    records = read(READER, browser_use(tmp_path, [{"model_output": output, "state": state}]))
    (step,), (upload,) = of(ProgressUpdate, records), of(Upload, records)
    assert (step.step, step.message) == (1, "go_to_url url='u'")
    assert step.data["thought"] == {"memory": "old"}
    assert (upload.content, upload.file.metadata["primary"]) == (png(5), True)
    assert base64.b64encode(png(5)).decode() not in repr(step)


def test_pictures_in_results_are_taken_out(tmp_path):
    image = {"name": "shot", "data": base64.b64encode(png(6)).decode()}
    step = browser_use_step(1, result=[{"images": [image]}])
    uploads = of(Upload, read(READER, browser_use(tmp_path, [step])))
    assert {u.content for u in uploads} == {png(1), png(6)}


def test_a_step_without_model_output_is_a_step_with_its_error(tmp_path):
    step = browser_use_step(1, model_output=None, result=[{"error": "Rate limit"}])
    records = read(READER, browser_use(tmp_path, [step]))
    assert records[0].status is Status.FAILED
    assert of(ProgressUpdate, records)[0].data["error"] == "Rate limit"
    errors = [e.message for e in of(LogEntry, records) if e.level == "error"]
    assert errors == ["action failed: Rate limit"]


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ({"is_done": True, "success": True}, Status.COMPLETED),
        ({"is_done": True, "success": False}, Status.FAILED),
        ({"is_done": False}, Status.INTERRUPTED),
        ({"is_done": "yes"}, Status.INTERRUPTED),
    ],
)
def test_the_last_result_tells_how_it_ended(tmp_path, last, status):
    assert read(READER, browser_use(tmp_path, **last))[0].status is status


@pytest.mark.parametrize(("verdict", "score"), [(True, 1), (False, 0), (None, None), ("x", None)])
def test_the_judges_verdict_is_an_evaluation(tmp_path, verdict, score):
    judgement = {"verdict": verdict, "reasoning": "because", "failure_reason": ""}
    (found,) = of(Evaluation, read(READER, browser_use(tmp_path, judgement=judgement)))
    assert (found.scorer, found.score) == ("imported:browser-use-judge", score)
    assert found.report == "because"


def test_a_history_reads_equal_each_time_with_ids_of_its_own(tmp_path):
    step = browser_use_step(1, state={"screenshot": data_url(png(1))})
    item = browser_use(tmp_path, [step, step, browser_use_step(2)])
    records = read(READER, item)
    assert read(READER, item) == records
    assert len(set(ids(records))) == len(ids(records))


def test_a_history_that_was_cut_off_keeps_its_first_steps(tmp_path):
    item = browser_use(tmp_path)
    data = item.read_bytes()
    item.write_bytes(data[:-40])
    records = read(READER, item)
    assert [step.step for step in of(ProgressUpdate, records)] == [1]
    assert reasons(records) == ["The JSON is broken or cut off."]
    assert of(AgentTask, records)[0].status is Status.INTERRUPTED


def test_a_history_is_recognised_and_other_json_is_not(tmp_path):
    item = browser_use(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps({"history": [{"x": 1}]}))
    (tmp_path / "empty.json").write_text(json.dumps({"history": []}))
    assert list(READER.items(tmp_path)) == [item]
    assert find_reader(item).name == "browser-use"
    assert find_reader(tmp_path / "other.json") is None


def test_a_history_is_recognised_before_a_picture_larger_than_what_is_looked_at(tmp_path):
    state = {"screenshot": data_url(png(1, noise=60_000))}
    item = browser_use(tmp_path, [{"model_output": None, "result": [], "state": state}])
    assert item.stat().st_size > 200_000
    assert READER.recognise(item)
