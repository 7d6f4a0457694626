import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, Status, Upload
from agentruns.trajectories import CuaExperimentReader, CuaReader, Problem, find_reader
from tests.unit.accounts import is_in_order, of, sources
from tests.unit.cua_folders import png
from tests.unit.json_trees import OBJECTS

ZONE = timezone(timedelta(hours=-7))
#: 2025-05-02 10:11:12 in ZONE.
BEGAN = datetime(2025, 5, 2, 17, 11, 12, tzinfo=UTC)


class Experiment:
    """A run; its methods write the files that the manager would write."""

    def __init__(self, root):
        self.path = root / "20250502_101112"
        self.second = 0
        self.turn = 0

    def begin_turn(self):
        self.turn += 1
        (self.path / f"turn_{self.turn:03d}").mkdir(parents=True, exist_ok=True)

    def save(self, name, content):
        file = self.path / f"turn_{self.turn:03d}" / name
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return file

    @property
    def ms(self):
        return int((BEGAN.timestamp() + self.second) * 1000)

    def picture(self, name):
        return self.save(f"{name}_{self.ms}.png", png(self.second))

    def log(self, kind, **more):
        stamp = (BEGAN.astimezone(ZONE) + timedelta(seconds=self.second)).strftime("%Y%m%d_%H%M%S")
        messages = [{"role": "user", "content": [{"type": "text", "text": "Book a flight"}]}]
        known = {"timestamp": stamp, "provider": "anthropic", "model": "m", "type": kind}
        name = f"api_call_{stamp}_{kind}.json"
        return self.save(name, {**known, "request": {"messages": messages}, **more})

    def act(self, action):
        self.begin_turn()
        self.second += 1
        self.picture(f"screenshot_{self.turn:03d}_state")
        self.second += 1
        self.log("request")
        self.log("response", response={"id": "r", "data": "[BASE64_DATA_LENGTH_99999]"})
        thought = {"type": "reasoning", "summary": [{"text": "I will"}]}
        call = {"type": "computer_call", "call_id": f"c{self.turn}", "action": action}
        output = {"output": [thought, call], "usage": {"total_tokens": 7}}
        self.log("agent_response", response=output)
        self.picture(f"vis_{action['type']}_x_412_y_230")


@pytest.fixture
def run(tmp_path):
    experiment = Experiment(tmp_path)
    experiment.act({"type": "click", "x": 412, "y": 230})
    experiment.act({"type": "type", "text": "hello"})
    return experiment


def read(run, **options):
    return list(CuaExperimentReader().read(run.path, "a1", timezone=ZONE, **options))


def files_in(run):
    return {str(file.relative_to(run.path)) for file in run.path.rglob("*") if file.is_file()}


def test_each_action_the_model_chose_is_a_step(run):
    records = read(run)
    assert of(Problem, records) == []
    assert is_in_order(records)
    steps = of(ProgressUpdate, records)
    assert [(s.step, s.message) for s in steps] == [(1, "click (412, 230)"), (2, "type 'hello'")]
    assert steps[0].data["answer"]["reasoning"] == "I will"
    assert steps[0].data["usage"] == {"total_tokens": 7}
    assert records[0].title == "Book a flight"
    assert sources(records) == files_in(run)
    assert read(run) == records


def test_annotated_copies_are_no_second_screenshots(run):
    shown = [u.file.metadata for u in of(Upload, read(run))]
    assert [(s["step"], s["kind"], s["primary"]) for s in shown] == [
        (1, "state", True),
        (1, "annotated", False),
        (2, "state", True),
        (2, "annotated", False),
    ]
    assert shown[1]["action"] == "click_x_412_y_230"


def test_local_times_are_taken_in_the_zone_and_the_task_says_so(run):
    task, *rest = read(run)
    assert task.created_at == BEGAN
    assert task.metadata["timezone"] == "UTC-07:00"
    assert "taken as UTC-07:00" in task.metadata["time_from"]
    entry = of(LogEntry, rest)[0]
    assert entry.created_at == BEGAN + timedelta(seconds=2)
    assert "taken as UTC-07:00" in entry.data["time_from"]
    picture = of(Upload, rest)[0].file
    assert picture.uploaded_at == BEGAN + timedelta(seconds=1)
    assert picture.metadata["time_from"] == "file"


def test_the_zone_is_no_part_of_a_runs_identity(run):
    other = next(iter(CuaExperimentReader().read(run.path, "a1")))
    assert other.id == read(run)[0].id
    assert other.created_at == datetime(2025, 5, 2, 10, 11, 12, tzinfo=UTC)


def test_an_error_of_the_provider_is_an_error(run):
    run.log("error", error="429 Too Many Requests")
    errors = [entry for entry in of(LogEntry, read(run)) if entry.level == "error"]
    assert [entry.message for entry in errors] == ["the model's provider: 429 Too Many Requests"]


@pytest.mark.parametrize("action", ["", "_after click", "_état_123_456"])
def test_a_screenshots_name_may_hold_any_action(run, action):
    run.second += 5
    run.picture(f"screenshot_009{action}")
    assert of(Upload, read(run))[-1].file.metadata["action"] == action.removeprefix("_")


def test_a_run_never_says_that_it_ended(run):
    assert read(run)[0].status is Status.INTERRUPTED
    assert read(run, unfinished=Status.IN_PROGRESS)[0].finished_at is None


def test_it_is_told_from_other_formats(run, tmp_path):
    assert find_reader(run.path).name == "cua_experiment"
    assert not CuaReader().recognise(run.path)
    assert find_reader(tmp_path) is None
    assert list(CuaExperimentReader().items(tmp_path)) == [run.path]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b'{"response": {', "cut off"),
        (b"[]", "not an object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"\xff"', "not UTF-8"),
    ],
)
@pytest.mark.parametrize("kind", ["request", "response", "error", "agent_response"])
def test_a_broken_file_is_a_problem_and_the_rest_is_read(run, kind, content, words):
    run.second += 5
    file = run.log(kind)
    file.write_bytes(content)
    records = read(run)
    (problem,) = of(Problem, records)
    assert problem.path == f"turn_002/{file.name}"
    assert words in problem.reason
    assert len(of(ProgressUpdate, records)) == 2


def test_times_that_can_not_be_are_no_times(run):
    run.save("screenshot_009_9999999999999.png", png(3))
    run.save("api_call_20259999_999999_request.json", {"request": 5})
    assert sources(read(run)) == files_in(run)


def test_links_pipes_and_strangers_are_told(run, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (run.path / "turn_003").symlink_to(tmp_path)
    os.mkfifo(run.path / "turn_001" / "screenshot_001_1746205874000.png")
    Path(os.fsdecode(bytes(run.path) + b"/turn_001/caf\xe9")).write_bytes(b"x")
    (run.path / "turn_001" / "empty.png").write_bytes(b"")
    assert {p.path for p in of(Problem, read(run))} == {
        "turn_003",
        "turn_001/screenshot_001_1746205874000.png",
        "turn_001/caf\\xe9",
        "turn_001/empty.png",
    }


def test_a_folder_that_is_gone_is_a_problem(tmp_path):
    (problem,) = CuaExperimentReader().read(tmp_path / "gone", "a1")
    assert isinstance(problem, Problem)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(OBJECTS, OBJECTS, OBJECTS)
def test_no_experiment_of_any_json_is_fatal_or_loses_a_file(run, answer, request_, error):
    run.log("agent_response", response=answer)
    run.log("request", request=request_)
    run.log("error", **{k: v for k, v in error.items() if k != "request"})
    records = read(run)
    assert records == read(run)
    assert is_in_order(records)
    assert sources(records) == files_in(run)
    assert len(of(AgentTask, records)) == 1
