import json
from zoneinfo import ZoneInfo

import pytest

from agentruns.models import Evaluation, LogEntry, ProgressUpdate, Status, Upload
from agentruns.trajectories import AtifReader, find_reader
from tests.unit.cua_folders import data_url, png
from tests.unit.foreign_runs import atif, atif_step, ids, image_part, of, read, reasons

READER = AtifReader()


def shown(path):
    return {"results": [{"source_call_id": "c2", "content": [image_part(path)]}]}


def test_a_trajectory_becomes_a_task_steps_and_log(tmp_path):
    records = read(READER, atif(tmp_path))
    task, steps = records[0], of(ProgressUpdate, records)
    assert reasons(records) == []
    assert (task.title, task.status) == ("Message 1", Status.COMPLETED)
    assert task.metadata["source_ref"] == "atif:s"
    assert [(step.step, step.message) for step in steps] == [(2, "bash cmd='ls'")] * 1 + [
        (3, "bash cmd='ls'")
    ]
    usage = {"prompt_tokens": 10, "cost_usd": 0.5, "logprobs_left_out": 2}
    assert steps[0].data["usage"] == usage
    assert steps[0].data["thought"] == "Reason 2"
    assert [entry.message for entry in of(LogEntry, records)] == [f"Message {n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("minor", range(8))
def test_every_known_version_is_read(tmp_path, minor):
    records = read(READER, atif(tmp_path, schema_version=f"ATIF-v1.{minor}"))
    assert reasons(records) == []


def test_a_newer_version_is_read_and_told(tmp_path):
    records = read(READER, atif(tmp_path, schema_version="ATIF-v1.8"))
    assert "newer than 1.7" in reasons(records)[0]
    assert len(of(ProgressUpdate, records)) == 2


@pytest.mark.parametrize("version", ["ATIF-v2.0", "ATIF-v1", "ATIF-v1.x"])
def test_an_unknown_version_is_recognised_and_refused(tmp_path, version):
    item = atif(tmp_path, schema_version=version)
    assert READER.recognise(item)
    records = read(READER, item)
    assert len(records) == 1
    assert "not read" in reasons(records)[0]


def test_steps_out_of_order_are_told_and_kept(tmp_path):
    records = read(READER, atif(tmp_path, [atif_step(1), atif_step(3), atif_step(2)]))
    assert reasons(records) == ["step_id of step 2 is not 2.", "step_id of step 3 is not 3."]
    assert [step.step for step in of(ProgressUpdate, records)] == [1, 3, 2]


def test_agents_with_a_constant_session_id_have_a_task_for_each_trajectory(tmp_path):
    first = atif(tmp_path / "a", [atif_step(1, message="one")])
    second = atif(tmp_path / "b", [atif_step(1, message="two")])
    assert read(READER, first)[0].id != read(READER, second)[0].id
    assert read(READER, first)[0].metadata["session_id"] == "s"


def test_a_picture_by_path_is_read_from_below_the_folder(tmp_path):
    item = atif(tmp_path, [atif_step(1, observation=shown("images/1.png"))])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(png(1))
    records = read(READER, item)
    (upload,) = of(Upload, records)
    assert (upload.content, upload.file.metadata["primary"]) == (png(1), True)
    assert list(READER.files(item)) == [item, tmp_path / "images" / "1.png"]


def test_an_absolute_path_counts_only_below_the_folder(tmp_path):
    inside = tmp_path / "run" / "1.png"
    item = atif(tmp_path / "run", [atif_step(1, observation=shown(str(inside)))])
    inside.write_bytes(png(1))
    assert of(Upload, read(READER, item))[0].content == png(1)


@pytest.mark.parametrize("path", ["../secret.png", "{}/secret.png", "a/../../secret.png", "x\0y"])
def test_a_picture_outside_the_folder_is_never_opened(tmp_path, path):
    (tmp_path / "secret.png").write_bytes(png(1))
    item = atif(tmp_path / "run", [atif_step(1, observation=shown(path.format(tmp_path)))])
    records = read(READER, item)
    assert of(Upload, records) == []
    assert "out of the trajectory's folder" in reasons(records)[0]
    assert list(READER.files(item)) == [item]


def test_a_picture_behind_a_link_is_never_opened(tmp_path):
    (tmp_path / "secret.png").write_bytes(png(1))
    item = atif(tmp_path / "run", [atif_step(1, observation=shown("link.png"))])
    (tmp_path / "run" / "link.png").symlink_to(tmp_path / "secret.png")
    records = read(READER, item)
    assert of(Upload, records) == []
    assert "links are never followed" in reasons(records)[0]


@pytest.mark.parametrize("url", ["https://example.org/1.png", "file:///etc/1.png"])
def test_a_picture_by_url_is_never_fetched(tmp_path, url):
    records = read(READER, atif(tmp_path, [atif_step(1, observation=shown(url))]))
    assert reasons(records) == ["A picture has a URL, and none is ever fetched."]


@pytest.mark.parametrize("part", [image_part, lambda url: {"type": "image_url", "image_url": url}])
def test_a_data_url_is_taken_out(tmp_path, part):
    content = [{"type": "text", "text": "see"}, part(data_url(png(4)))]
    step = atif_step(1, observation={"results": [{"content": content}]})
    records = read(READER, atif(tmp_path, [step]))
    assert [u.content for u in of(Upload, records)] == [png(4)]
    assert of(ProgressUpdate, records)[0].data["result"] == [{"text": "see"}]


def test_a_data_url_that_holds_none_is_a_problem(tmp_path):
    step = atif_step(1, observation=shown("data:image/png;base64,AAAA"))
    assert reasons(read(READER, atif(tmp_path, [step]))) == ["A data URL holds no picture."]


def test_the_steps_of_sub_agents_belong_to_the_task_and_say_whose_they_are(tmp_path):
    inner = {"trajectory_id": "sub", "steps": [atif_step(1)]}
    item = atif(tmp_path, schema_version="ATIF-v1.7", subagent_trajectories=[inner, inner])
    records = read(READER, item)
    steps = [s for s in of(ProgressUpdate, records) if "subagent" in s.data]
    assert [(s.step, s.data["subagent"]) for s in steps] == [(None, "0:sub"), (None, "1:sub")]
    assert len(set(ids(records))) == len(ids(records))


def test_times_without_a_zone_are_taken_in_the_one_that_was_told(tmp_path):
    item = atif(tmp_path, [atif_step(1, timestamp="2025-11-24T01:00:00.5")])
    task = read(READER, item, timezone=ZoneInfo("Asia/Tokyo"))[0]
    assert task.created_at.isoformat() == "2025-11-23T16:00:00.500000+00:00"
    assert task.metadata["time_from"].endswith("taken as Asia/Tokyo")


@pytest.mark.parametrize(("reward", "score"), [(1, 1), (0.5, 0.5), (-3, None), ("x", None)])
def test_a_reward_is_an_evaluation_with_its_raw_value(tmp_path, reward, score):
    metrics = {"total_prompt_tokens": 5, "extra": {"reward": reward}}
    (found,) = of(Evaluation, read(READER, atif(tmp_path, final_metrics=metrics)))
    assert (found.scorer, found.score) == ("imported:atif-reward", score)
    assert found.metrics["raw"] == reward


def test_a_status_in_extra_is_the_tasks(tmp_path):
    assert read(READER, atif(tmp_path, extra={"status": "failed"}))[0].status is Status.FAILED


def test_copied_context_says_so(tmp_path):
    records = read(READER, atif(tmp_path, [atif_step(1, is_copied_context=True)]))
    assert of(ProgressUpdate, records)[0].data["more"]["is_copied_context"] is True


def test_a_trajectory_is_recognised_and_other_json_is_not(tmp_path):
    item = atif(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"schema_version": "1.0", "steps": []}))
    assert list(READER.items(tmp_path)) == [item]
    assert find_reader(item).name == "atif"


def test_a_trajectory_reads_equal_each_time_with_ids_of_its_own(tmp_path):
    item = atif(tmp_path, [atif_step(1), atif_step(1), atif_step(2, "user")])
    records = read(READER, item)
    assert read(READER, item) == records
    assert len(set(ids(records))) == len(ids(records))
