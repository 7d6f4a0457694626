"""Writes runs as OSWorld, browser-use, BrowserGym and ATIF leave them, from facts alone."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentruns.models import Upload
from agentruns.trajectories import Problem, TrajectoryReader
from tests.unit.cua_folders import png

START = 1763946000.0  # 2025-11-24 01:00:00 UTC


def read(reader: TrajectoryReader, item: Path, **options: Any) -> list[Any]:
    return list(reader.read(item, "a1", **options))


def of(kind: Any, records: Iterable[Any]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def reasons(records: Iterable[Any]) -> list[str]:
    return [problem.reason for problem in of(Problem, records)]


def ids(records: Iterable[Any]) -> list[Any]:
    kept = [record for record in records if not isinstance(record, Problem)]
    return [record.file.id if isinstance(record, Upload) else record.id for record in kept]


def osworld(root: Path, lines: Iterable[Any] = (), result: str | None = "1.0") -> Path:
    """A run below its model, one picture for each line that names one."""
    item = root / "pyautogui" / "screenshot" / "gpt" / "chrome" / "task-1"
    item.mkdir(parents=True, exist_ok=True)
    lines = list(lines)
    (item / "traj.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number, line in enumerate(lines):
        if isinstance(line, dict) and line.get("screenshot_file"):
            (item / line["screenshot_file"]).write_bytes(png(number))
    if result is not None:
        (item / "result.txt").write_text(result + "\n")
    return item


def osworld_line(step: int, time: str = "20251124@010203", **more: Any) -> dict[str, Any]:
    line = {"step_num": step, "action_timestamp": time, "action": "pyautogui.click(1, 2)"}
    line |= {"response": f"I click, step {step}", "reward": 0, "done": False, "info": {}}
    return line | {"screenshot_file": f"step_{step}_{time}.png"} | more


def browser_use_step(number: int, **more: Any) -> dict[str, Any]:
    output = {"thinking": f"Thought {number}", "evaluation_previous_goal": "ok", "memory": "m"}
    output |= {"next_goal": "go on", "action": [{"click_element": {"index": number}}]}
    began = START + number
    step = {
        "model_output": output,
        "result": [{"is_done": False, "long_term_memory": f"Clicked {number}"}],
        "state": {"url": "https://example.org", "title": "t", "tabs": []},
        "metadata": {"step_start_time": began, "step_end_time": began + 0.5, "step_number": number},
        "state_message": "<user_request>\nBook a flight\n</user_request>",
    }
    step["state"]["screenshot_path"] = f"/home/gone/screenshots/step_{number}.png"
    return step | more


def browser_use(root: Path, steps: Iterable[Any] | None = None, **last: Any) -> Path:
    """A history of two steps, the last of which says that all is done."""
    done = {"is_done": True, "success": True, "extracted_content": "Booked", **last}
    made = [browser_use_step(1), browser_use_step(2, result=[done])]
    (root / "screenshots").mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        (root / "screenshots" / f"step_{number}.png").write_bytes(png(number))
    item = root / "AgentHistory.json"
    item.write_text(json.dumps({"history": made if steps is None else list(steps)}))
    return item


def browsergym(root: Path, **summary: Any) -> Path:
    """An experiment of two steps with pickles that are none."""
    item = root / "2025-11-24_01-02-03_MyAgent_on_miniwob.click-test_7"
    item.mkdir(parents=True, exist_ok=True)
    known = {"n_steps": 2, "cum_reward": 1.0, "cum_raw_reward": 3, "err_msg": None}
    known |= {"stack_trace": None, "terminated": True, "truncated": False, "stats.cum_cost": 0.1}
    (item / "summary_info.json").write_text(json.dumps(known | summary))
    for name in ("exp_args.pkl", "step_0.pkl.gz", "step_1.pkl.gz", "goal_object.pkl.gz"):
        (item / name).write_bytes(b"not even a pickle")
    for number in (0, 1):
        (item / f"screenshot_step_{number}.png").write_bytes(png(number))
    (item / "screenshot_som_step_0.png").write_bytes(png(99))
    return item


def atif_step(number: int, source: str = "agent", **more: Any) -> dict[str, Any]:
    step: dict[str, Any] = {"step_id": number, "source": source, "message": f"Message {number}"}
    step["timestamp"] = f"2025-11-24T01:00:{number:02d}Z"
    if source == "agent":
        call = {"tool_call_id": f"c{number}", "function_name": "bash", "arguments": {"cmd": "ls"}}
        step |= {"tool_calls": [call], "reasoning_content": f"Reason {number}"}
        step["metrics"] = {"prompt_tokens": 10, "logprobs": [0.1, 0.2], "cost_usd": 0.5}
    return step | more


def atif(root: Path, made_of: Iterable[Any] | None = None, **more: Any) -> Path:
    usual = [atif_step(1, "user"), atif_step(2), atif_step(3)]
    made = usual if made_of is None else list(made_of)
    agent = {"name": "terminus", "version": "1"}
    trajectory = {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": agent}
    trajectory |= {**more, "steps": made}
    root.mkdir(parents=True, exist_ok=True)
    item = root / "trajectory.json"
    item.write_text(json.dumps(trajectory))
    return item


def image_part(path: str) -> dict[str, Any]:
    return {"type": "image", "source": {"media_type": "image/png", "path": path}}
