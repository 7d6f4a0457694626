import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, Status, Upload, new_id
from agentruns.trajectories import CuaReader, OrganizedReader, Problem, find_reader
from tests.unit.accounts import identities, is_in_order, of, sources, task_of
from tests.unit.cua_folders import FIRST_TICK, CuaFolder, data_url, png
from tests.unit.json_trees import OBJECTS
from tests.unit.organisers import heap, organise_flat, organise_grouped

RUNS = Path(__file__).parents[2] / "examples" / "runs"
COMPLETED = RUNS / "2026-11-23_uitars157b_010146_11c0"
CRASHED = RUNS / "2026-11-23_computerusepre_010157_2a40"
CLICK = {"type": "click", "x": 412, "y": 230}


def read(folder, **options):
    return list(OrganizedReader().read(folder, "a1", **options))


def steps_of(records, task=None):
    steps = [s for s in of(ProgressUpdate, records) if s.data["kind"] == "action"]
    return [s for s in steps if task is None or s.task_id == task.id]


def told(record):
    return record.step, record.message, record.data.get("answer"), record.timestamp


def a_run(tmp_path, text="Book", steps=2, tick=FIRST_TICK, ends=True, name="r_0"):
    folder = CuaFolder(tmp_path / "runs", name, tick=tick).start(text)
    for number in range(steps):
        folder.act(CLICK, call_id=f"{name}_{number}")
    return folder.end() if ends else folder


def files_in(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}


@pytest.mark.parametrize("seed", range(4))
def test_runs_in_one_heap_are_rebuilt_with_all_their_steps(tmp_path, seed):
    records = read(organise_flat([COMPLETED, CRASHED], tmp_path, seed))
    assert is_in_order(records)
    tasks = of(AgentTask, records)
    assert [t.status for t in tasks] == [Status.COMPLETED, Status.INTERRUPTED]
    for task, run in zip(tasks, (COMPLETED, CRASHED), strict=True):
        original = list(CuaReader().read(run, "a1"))
        whole = of(AgentTask, original)[0]
        assert task.metadata["source_ref"] == whole.metadata["source_ref"]
        assert "reconstructed" not in task.metadata
        assert (task.title, task.created_at) == (whole.title, whole.created_at)
        without_source = [
            (step, message, {**answer, "source": ""}, time)
            for step, message, answer, time in map(told, steps_of(records, task))
        ]
        assert without_source == [
            (step, message, {**answer, "source": ""}, time)
            for step, message, answer, time in map(told, steps_of(original))
        ]


@pytest.mark.parametrize("seed", range(2))
def test_every_file_of_a_heap_is_accounted_for(tmp_path, seed):
    folder = organise_flat([COMPLETED, CRASHED], tmp_path, seed)
    records = read(folder)
    metadata = {p for p in files_in(folder) if "trajectory_id" in (folder / p).read_text()}
    assert sources(records) | metadata == files_in(folder)
    assert records == read(folder)


def test_a_run_keeps_its_id_whatever_its_files_are_called(tmp_path):
    ids = [
        {task.id for task in of(AgentTask, read(organise_flat([COMPLETED], tmp_path / str(s), s)))}
        for s in (1, 2)
    ]
    assert ids[0] == ids[1]


def test_a_known_task_takes_the_records_of_all_runs(tmp_path):
    task_id = new_id()
    records = read(organise_flat([COMPLETED, CRASHED], tmp_path), task_id=task_id)
    assert of(AgentTask, records) == []
    assert {task_of(r) for r in records if not isinstance(r, Problem)} == {task_id}
    assert len(set(identities(records))) == len(identities(records))


def test_groups_are_rebuilt_with_the_pictures_of_their_turns(tmp_path):
    folder = organise_grouped([COMPLETED], tmp_path)
    records = read(folder)
    assert of(Problem, records) == []
    primary = [u.file.metadata for u in of(Upload, records) if u.file.metadata["primary"]]
    assert [p["step"] for p in primary] == [1, 2, 3, 4, 5]
    assert {p["kind"] for p in primary} == {"after"}
    assert sources(records) == files_in(folder)


def test_groups_of_runs_that_overwrote_each_other_lose_no_file_that_is_left(tmp_path):
    folder = organise_grouped([CRASHED, COMPLETED], tmp_path)
    records = read(folder)
    assert is_in_order(records)
    named = sources(records)
    crashed = next(p for p in files_in(folder) if CRASHED.name in p)
    assert named | {crashed} == files_in(folder)


def test_the_class_in_a_name_is_not_trusted(tmp_path):
    folder = organise_flat([COMPLETED], tmp_path)
    names = sorted(files_in(folder))
    for number, name in enumerate(names):
        (folder / name).rename(folder / f"trajectory_progress_{1000 + number}.json")
    assert len(steps_of(read(folder))) == 5


def test_a_run_without_metadata_is_marked_reconstructed(tmp_path):
    run = a_run(tmp_path)
    other = a_run(tmp_path, "Swim", name="r_1", tick=FIRST_TICK + 10**9)
    for each in (run, other):
        (each.path / "metadata.json").unlink()
    records = read(organise_flat([run.path, other.path], tmp_path / "heap"))
    tasks = of(AgentTask, records)
    assert [task.metadata["reconstructed"] for task in tasks] == [True, True]
    assert [len(steps_of(records, task)) for task in tasks] == [2, 2]
    assert {task.status for task in tasks} == {Status.INTERRUPTED}


def test_the_same_assignment_again_is_another_run(tmp_path):
    first = a_run(tmp_path, name="r_0")
    second = a_run(tmp_path, name="r_1", tick=first.tick + 10**9)
    third = a_run(tmp_path, name="r_2", tick=second.tick + 10**9, ends=False)
    records = read(organise_flat([first.path, second.path, third.path], tmp_path / "heap"))
    tasks = of(AgentTask, records)
    assert [t.metadata["source"]["trajectory_id"] for t in tasks] == ["r_0", "r_1", "r_2"]
    logs = [len([e for e in of(LogEntry, records) if e.task_id == t.id]) for t in tasks]
    assert logs == [9, 9, 6]
    assert not any("reconstructed" in task.metadata for task in tasks)


def test_a_run_that_never_came_to_a_call_is_told_from_the_next(tmp_path):
    first = CuaFolder(tmp_path / "runs", "r_0").start("Book")
    first.save("api_start", {"kwargs": {"messages": first.history}})
    second = a_run(tmp_path, name="r_1", tick=first.tick + 10**9)
    records = read(organise_flat([first.path, second.path], tmp_path / "heap"))
    tasks = of(AgentTask, records)
    assert [t.metadata["source"]["trajectory_id"] for t in tasks] == ["r_0", "r_1"]
    assert [len([e for e in of(LogEntry, records) if e.task_id == t.id]) for t in tasks] == [1, 9]


def test_runs_whose_calls_have_equal_ids_are_told_apart_by_time(tmp_path):
    runs = []
    for number in range(2):
        run = CuaFolder(tmp_path / "runs", f"r_{number}", tick=FIRST_TICK + number * 10**9)
        run.start(f"Book {number}").act(CLICK, call_id="call_0")
        runs.append(run.end())
    records = read(organise_flat([run.path for run in runs], tmp_path / "heap"))
    tasks = of(AgentTask, records)
    assert [len(steps_of(records, task)) for task in tasks] == [1, 1]
    assert all(task.metadata["reconstructed"] for task in tasks)


def test_a_loose_picture_is_shown_at_the_call_whose_result_it_was(tmp_path):
    run = a_run(tmp_path, ends=False)
    shots = [png(seed) for seed in (1, 2)]
    items = [
        {
            "type": "computer_call_output",
            "call_id": f"r_0_{number}",
            "output": {"type": "input_image", "image_url": data_url(shot)},
        }
        for number, shot in enumerate(shots)
    ]
    run.end(new_items=items)
    folder = organise_flat([run.path], tmp_path / "heap")
    heap(folder, pictures={"screenshot_9.png": shots[0]})
    records = read(folder)
    assert of(Problem, records) == []
    shown = [u.file.metadata for u in of(Upload, records) if u.file.metadata["primary"]]
    assert [(s["step"], s["source"].startswith("screenshots/")) for s in shown] == [
        (1, True),
        (2, False),
    ]


def test_a_step_whose_picture_is_nowhere_is_a_problem(tmp_path):
    run = a_run(tmp_path, steps=1)
    (problem,) = of(Problem, read(organise_flat([run.path], tmp_path / "heap")))
    assert "screenshot that is not" in problem.reason


def test_pictures_of_no_known_run_are_kept_in_a_task_of_their_own(tmp_path):
    runs = [a_run(tmp_path, f"Book {n}", name=f"r_{n}", tick=FIRST_TICK + n) for n in range(2)]
    folder = organise_flat([run.path for run in runs], tmp_path / "heap")
    heap(folder, pictures={"a.png": png(1), "b.png": png(2), "c.png": b"", "d.txt": b"x"})
    records = read(folder)
    assert is_in_order(records)
    task = of(AgentTask, records)[-1]
    assert task.metadata["reconstructed"] is True
    assert [u.file.task_id for u in of(Upload, records)] == [task.id] * 2
    assert {"screenshots/c.png", "screenshots/d.txt"} <= {p.path for p in of(Problem, records)}


def test_pictures_beside_the_only_run_are_its_loose_pictures(tmp_path):
    folder = organise_flat([a_run(tmp_path).path], tmp_path / "heap")
    heap(folder, pictures={"a.png": png(1)})
    records = read(folder)
    assert len(of(AgentTask, records)) == 1
    assert of(Upload, records)[0].file.metadata["kind"] == "loose"


def test_a_copy_is_read_once_and_told(tmp_path):
    folder = organise_flat([COMPLETED], tmp_path)
    shutil.copyfile(folder / "trajectory_screenshot_1.json", folder / "trajectory_other_99.json")
    (problem,) = [p for p in of(Problem, read(folder)) if "copy" in p.reason]
    assert problem.path == "trajectory_screenshot_1.json"
    assert len(steps_of(read(folder))) == 5


def test_an_earlier_state_of_a_runs_metadata_is_told(tmp_path):
    run = a_run(tmp_path)
    folder = organise_flat([run.path], tmp_path / "heap")
    early = {**json.loads((run.path / "metadata.json").read_text()), "status": "running"}
    del early["completed_at"], early["new_items"]
    (folder / "trajectory_progress_1.json").write_text(json.dumps(early))
    records = read(folder)
    assert of(AgentTask, records)[0].status is Status.COMPLETED
    assert "trajectory_progress_1.json" in {p.path for p in of(Problem, records)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b'{"item": {"type"', "cut off"),
        (b"[1, 2]", "JSON list, not an object"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "too long"),
        (b'{"hello": NaN, "text": "a\\u0000b"}', "does not have"),
    ],
)
def test_a_broken_file_is_a_problem_and_the_rest_is_read(tmp_path, content, words):
    folder = organise_flat([COMPLETED], tmp_path)
    (folder / "trajectory_progress_7.json").write_bytes(content)
    records = read(folder)
    problems = {p.path: p.reason for p in of(Problem, records)}
    assert words in problems["trajectory_progress_7.json"]
    assert len(steps_of(records)) == 5


def test_links_pipes_and_strange_names_are_told_and_not_read(tmp_path):
    folder = heap(organise_flat([COMPLETED], tmp_path / "heap"), pictures={"a.png": png(1)})
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    (folder / "trajectory_other_98.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(folder / "trajectory_other_99.json")
    (folder / "other").symlink_to(tmp_path)
    os.mkfifo(folder / "screenshots" / "pipe.png")
    Path(os.fsdecode(bytes(folder / "screenshots") + b"/caf\xe9.json")).write_bytes(b"{}")
    (folder / "screenshots" / "deep").mkdir()
    (folder / "screenshots" / "deep" / "x.png").write_bytes(png(3))
    records = read(folder)
    named = sources(records)
    assert {
        "trajectory_other_98.json",
        "trajectory_other_99.json",
        "other",
        "screenshots/pipe.png",
        "screenshots/caf\\xe9.json",
        "screenshots/deep/x.png",
    } <= named
    assert "secret" not in {key for r in of(LogEntry, records) for key in r.data}


def test_an_organised_folder_leaves_what_lies_beside_it_to_others(tmp_path):
    folder = organise_flat([COMPLETED], tmp_path)
    (folder / "notes.txt").write_text("x")
    shutil.copytree(CRASHED, folder / "other")
    assert find_reader(folder).name == "organized_traj"
    assert all(path.name.startswith("trajectory_") for path in OrganizedReader().files(folder))


@pytest.mark.parametrize(
    "names", [[], ["trajectory.json"], ["other/x.json"], ["screenshots/a.png"]]
)
def test_other_folders_are_not_taken_for_organised_ones(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    assert find_reader(tmp_path) is None
    assert list(OrganizedReader().items(tmp_path)) == []


def test_a_folder_that_is_gone_gives_nothing_and_no_error(tmp_path):
    assert read(tmp_path / "gone") == []


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(OBJECTS, OBJECTS, OBJECTS, OBJECTS)
def test_no_heap_of_any_json_is_fatal_or_loses_a_file(tmp_path, one, two, three, four):
    documents = [one, two, three, four]
    shutil.rmtree(tmp_path / "heap", ignore_errors=True)
    folder = heap(tmp_path / "heap", *documents, pictures={"a.png": png(1)})
    records = read(folder)
    assert records == read(folder)
    assert is_in_order(records)
    metadata = {
        f"trajectory_other_{number}.json"
        for number, document in enumerate(documents)
        if isinstance(document.get("trajectory_id"), str)
    }
    assert sources(records) | metadata == files_in(folder)
