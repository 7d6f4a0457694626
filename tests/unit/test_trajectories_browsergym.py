import gzip
import json
import os
import pickle
from zoneinfo import ZoneInfo

import pytest

from agentruns.models import Evaluation, LogEntry, ProgressUpdate, Status, Upload
from agentruns.trajectories import BrowserGymReader, find_reader
from tests.unit.cua_folders import png
from tests.unit.foreign_runs import browsergym, ids, of, read, reasons

READER = BrowserGymReader()


class Bomb:
    """Makes a folder when somebody loads it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def test_an_experiment_becomes_a_task_steps_pictures_and_a_verdict(tmp_path):
    records = read(READER, browsergym(tmp_path), timezone=ZoneInfo("Europe/Berlin"))
    task, (verdict,) = records[0], of(Evaluation, records)
    assert reasons(records) == []
    assert (task.title, task.status) == ("miniwob.click-test (seed 7)", Status.COMPLETED)
    assert task.metadata["agent"] == "MyAgent"
    assert task.created_at.isoformat() == "2025-11-24T00:02:03+00:00"
    assert "Europe/Berlin" in task.metadata["time_from"]
    assert [step.step for step in of(ProgressUpdate, records)] == [0, 1]
    shown = [(u.file.metadata["kind"], u.file.metadata["primary"]) for u in of(Upload, records)]
    assert sorted(shown) == [("annotated", False), ("before", True), ("before", True)]
    assert (verdict.scorer, verdict.score) == ("imported:browsergym-reward", 1)
    assert verdict.metrics["cum_raw_reward"] == 3


def test_no_pickle_is_ever_loaded(tmp_path):
    item = browsergym(tmp_path)
    bomb = pickle.dumps(Bomb(str(tmp_path / "exploded")))
    (item / "exp_args.pkl").write_bytes(bomb)
    for name in ("step_0.pkl.gz", "step_1.pkl.gz", "goal_object.pkl.gz"):
        (item / name).write_bytes(gzip.compress(bomb))
    records = read(READER, item)
    assert READER.recognise(item)
    assert set(READER.files(item)) == set(item.iterdir())
    assert not (tmp_path / "exploded").exists()
    assert "4 pickled files were not read" in of(LogEntry, records)[-1].message
    pickle.loads(bomb)  # noqa: S301 - shows that the bomb is a real one
    assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        ({"terminated": True}, Status.COMPLETED),
        ({"terminated": False, "truncated": True}, Status.COMPLETED),
        ({"terminated": False}, Status.INTERRUPTED),
        ({"err_msg": "Timeout"}, Status.FAILED),
    ],
)
def test_the_summary_tells_how_it_ended(tmp_path, summary, status):
    assert read(READER, browsergym(tmp_path, **summary))[0].status is status


def test_an_error_is_told_with_its_trace(tmp_path):
    records = read(READER, browsergym(tmp_path, err_msg="Timeout", stack_trace="line 1"))
    (error,) = [e for e in of(LogEntry, records) if e.level == "error"]
    assert (error.message, error.data["stack_trace"]) == (
        "the experiment failed: Timeout",
        "line 1",
    )


def test_an_experiment_that_crashed_has_no_summary_and_is_interrupted(tmp_path):
    item = browsergym(tmp_path)
    (item / "summary_info.json").unlink()
    records = read(READER, item)
    assert [r.status for r in records if hasattr(r, "status")] == [Status.INTERRUPTED]
    assert of(Evaluation, records) == []


def test_steps_info_tells_goal_and_action(tmp_path):
    item = browsergym(tmp_path)
    info = {"step": 1, "action": "click('a1')", "reward": 1, "obs": {"goal": "Click it"}}
    info["agent_info"] = {"think": "It is there"}
    (item / "steps_info.json").write_text(json.dumps(info))
    records = read(READER, item)
    assert records[0].description == "Click it"
    step = of(ProgressUpdate, records)[1]
    assert step.message == "browsergym click('a1')"
    assert step.data["thought"] == "It is there"


def test_a_tape_tells_actions_and_thoughts(tmp_path):
    item = browsergym(tmp_path)
    steps = [{"kind": "observation", "content": "{}"}]
    steps += [{"kind": "assistant_thought", "content": "Hm"}]
    steps += [{"kind": "assistant", "content": "noop()"}]
    (item / "tape.json").write_text(json.dumps({"metadata": {}, "steps": steps}))
    records = read(READER, item)
    assert of(ProgressUpdate, records)[0].message == "browsergym noop()"
    said = [e.message for e in of(LogEntry, records) if e.data["kind"] == "tape"]
    assert said == ["observation: {}", "assistant_thought: Hm", "assistant: noop()"]


def test_older_experiments_have_jpeg_pictures(tmp_path):
    item = browsergym(tmp_path)
    (item / "screenshot_step_0.png").unlink()
    (item / "screenshot_step_0.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 30 + b"\xff\xd9")
    uploads = of(Upload, read(READER, item))
    assert uploads[0].file.content_type == "image/jpeg"
    assert len(uploads) == 3


def test_an_experiment_reads_equal_each_time_with_ids_of_its_own(tmp_path):
    item = browsergym(tmp_path)
    records = read(READER, item)
    assert read(READER, item) == records
    assert len(set(ids(records))) == len(ids(records))


def test_experiments_are_found_in_a_study_and_told_by_their_first_picture(tmp_path):
    first, second = browsergym(tmp_path / "a"), browsergym(tmp_path / "b")
    (second / "screenshot_step_0.png").write_bytes(png(55))
    assert list(READER.items(tmp_path)) == [first, second]
    assert find_reader(first).name == "browsergym"
    assert read(READER, first)[0].id != read(READER, second)[0].id
