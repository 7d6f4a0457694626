import hashlib
import json
from pathlib import Path

import pytest

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, Status, Upload, new_id
from agentruns.trajectories import CuaReader, Problem, find_reader

RUNS = Path(__file__).parents[2] / "examples" / "runs"
COMPLETED = RUNS / "2026-11-23_uitars157b_010146_11c0"
CRASHED = RUNS / "2026-11-23_computerusepre_010157_2a40"


def read(run, **options):
    return list(CuaReader().read(run, "a1", **options))


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def sources(record):
    if isinstance(record, Problem):
        return record.path
    if isinstance(record, AgentTask):
        return "metadata.json"
    return (record.file.metadata if isinstance(record, Upload) else record.data)["source"]


@pytest.mark.parametrize("run", [COMPLETED, CRASHED])
def test_every_file_of_a_run_is_accounted_for(run):
    there = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    assert {sources(record) for record in read(run)} == there


@pytest.mark.parametrize("run", [COMPLETED, CRASHED])
def test_a_real_run_has_no_problems_and_reads_equal_each_time(run):
    records = read(run)
    assert of(Problem, records) == []
    assert read(run) == records
    ids = [r.file.id if isinstance(r, Upload) else r.id for r in records]
    assert len(set(ids)) == len(ids)


def test_the_task_comes_first_and_says_what_was_asked():
    task = read(COMPLETED)[0]
    assert isinstance(task, AgentTask)
    assert task.title == "Open the event-feed page and report what it shows (task 0)"
    assert task.status is Status.COMPLETED
    assert task.metadata["model"] == "huggingface-local/ByteDance-Seed/UI-TARS-1.5-7B"
    assert task.metadata["usage"]["total_tokens"] == 5082
    assert task.created_at.isoformat() == "2026-11-23T01:01:46.157000+00:00"
    assert task.created_at < task.finished_at


def test_the_api_key_of_a_run_is_kept_nowhere():
    key = json.loads((COMPLETED / "metadata.json").read_text())["kwargs"]["api_key"]
    assert all(key not in repr(record) for record in read(COMPLETED))
    assert read(COMPLETED)[0].metadata["redacted"] == ["kwargs.api_key"]


def test_each_action_is_a_step_in_words_with_its_answer_and_usage():
    steps = [s for s in of(ProgressUpdate, read(COMPLETED)) if s.data["kind"] == "action"]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    assert steps[0].message == "click (141, 684)"
    assert steps[0].data["answer"]["reasoning"] == "Step 0: I will click at 141,684."
    assert steps[0].data["usage"]["total_tokens"] == 943


def test_usage_over_the_steps_adds_up_to_that_of_the_run():
    steps = of(ProgressUpdate, read(COMPLETED))
    assert sum(s.data.get("usage", {}).get("total_tokens", 0) for s in steps) == 5082


def test_a_completed_run_ends_at_100_percent_without_another_step():
    last = of(ProgressUpdate, read(COMPLETED))[-1]
    assert (last.progress_percent, last.step) == (100, 5)
    assert last.message == "completed: Done: Prefect Server"


def test_a_crashed_run_is_interrupted_and_reaches_no_percent():
    records = read(CRASHED)
    assert records[0].status is Status.INTERRUPTED
    assert records[0].finished_at > records[0].created_at
    assert {step.progress_percent for step in of(ProgressUpdate, records)} == {None}


def test_the_caller_may_know_better_what_unfinished_means():
    assert read(CRASHED, unfinished=Status.IN_PROGRESS)[0].status is Status.IN_PROGRESS
    assert read(CRASHED, unfinished=Status.IN_PROGRESS)[0].finished_at is None


def test_each_step_has_one_primary_screenshot_and_the_annotated_copy_is_marked():
    files = [upload.file for upload in of(Upload, read(COMPLETED))]
    primary = [file for file in files if file.metadata["primary"]]
    assert [file.metadata["step"] for file in primary] == [1, 2, 3, 4, 5]
    assert {file.metadata["kind"] for file in primary} == {"after"}
    assert [f.metadata["kind"] for f in files if f not in primary] == ["annotated"] * 5


def test_an_upload_proves_its_content():
    for upload in of(Upload, read(COMPLETED)):
        assert hashlib.sha256(upload.content).hexdigest() == upload.file.sha256
        assert upload.file.object_path.endswith(f"{upload.file.sha256}.png")


def test_a_known_task_gets_the_records_and_no_second_task():
    task_id = new_id()
    records = read(COMPLETED, task_id=task_id)
    assert of(AgentTask, records) == []
    assert {r.file.task_id if isinstance(r, Upload) else r.task_id for r in records} == {task_id}
    note = of(LogEntry, records)[-1]
    assert note.message == "the agent's own saver: completed"
    assert note.data["kwargs"]["api_key"] == "[redacted]"


def test_one_run_in_two_tasks_gives_different_records():
    first, second = (read(COMPLETED, task_id=new_id()) for _ in range(2))
    ids = [{r.file.id if isinstance(r, Upload) else r.id for r in each} for each in (first, second)]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("run", [COMPLETED, CRASHED])
@pytest.mark.parametrize("after", [-1, 0, 2, 4, 5, 15, 28])
def test_reading_on_gives_what_a_whole_reading_gives(run, after):
    task_id = new_id()
    whole = read(run, task_id=task_id)
    rest = read(run, task_id=task_id, after=after)
    numbers = [int(s.split("/")[1][:4]) for s in map(sources, rest) if "/" in s]
    assert min(numbers) == after + 1
    assert rest == [r for r in whole if "/" not in sources(r) or int(sources(r)[9:13]) > after]


def test_records_fit_one_document():
    for record in of((LogEntry, ProgressUpdate), read(COMPLETED)):
        assert len(record.model_dump_json()) < 1_000_000


def test_runs_are_found_below_a_folder_and_recognised():
    assert list(CuaReader().items(RUNS)) == [CRASHED, COMPLETED]
    assert list(CuaReader().items(COMPLETED)) == [COMPLETED]
    assert find_reader(COMPLETED).name == "cua"
    assert find_reader(RUNS) is None
    assert find_reader(RUNS / "nothing") is None
    assert find_reader(COMPLETED / "metadata.json") is None
