"""Runs cua-agent's real loop on a scripted model and a drawn screen, and tells what came of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cua_agent import ComputerAgent
from cua_agent.tools import BaseTool
from cua_agent.types import ToolError

from agentruns import Recorder
from agentruns.cua import RecordingCallback
from agentruns.models import AgentTask, AnyRecord, LogEntry, ProgressUpdate, StoredFile, Upload
from agentruns.spool import Lane, Spool
from agentruns.trajectories import CuaReader, Problem
from examples.scripted_cua import SCRIPTS, Screen, Turn
from tests.unit.spools import events

MODEL = "scripted/test"
#: What only one of the two can know: where a record was read, and what the clock was.
OF_THE_PLACE = {"source", "sha256", "time_from"}


class Browser(BaseTool):
    """A function that acts and shows the screen inside its result."""

    name = "browser"
    description = "Acts in a browser"

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    @property
    def parameters(self) -> dict[str, Any]:
        return {"type": "object", "properties": {}, "required": []}

    def call(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        if params.get("action") == "crash":
            raise RuntimeError("the browser is gone")
        if params.get("action") == "refuse":
            raise ToolError("no such page")
        if "coordinate" in params:
            self.screen.click(*params["coordinate"])
        return {"success": True, "url": params.get("url"), "screenshot": self.screen.base64()}


def recorder(folder: Path, **options: Any) -> Recorder:
    options = {"deliver": False, "exit_seconds": 0} | options
    return Recorder("cua-1", spool=folder / "spool", **options)


def make_agent(callback: Any, turns: Sequence[Turn], **options: Any) -> ComputerAgent:
    SCRIPTS[MODEL] = list(turns)
    screen = Screen()
    options = {"screenshot_delay": 0, "max_retries": 0, "telemetry_enabled": False} | options
    tools = [screen.computer(), Browser(screen)]
    return ComputerAgent(MODEL, tools=tools, callbacks=[callback], **options)


async def drive(agent: ComputerAgent, asked: Any = "Book a flight", **options: Any) -> list[Any]:
    return [item async for result in agent.run(asked, **options) for item in result["output"]]


def run_both(folder: Path, turns: Sequence[Turn], asked: Any = "Book a flight") -> None:
    """One run, recorded by the callback and kept by the package's own saver."""
    with recorder(folder) as kept:
        agent = make_agent(RecordingCallback(kept), turns, trajectory_dir=str(folder / "saved"))
        asyncio.run(drive(agent, asked))


def told(folder: Path) -> list[AnyRecord]:
    """What the callback recorded, in the order of each lane."""
    found = events(Spool(folder / "spool"))
    assert [event.damage for event in found if event.damage] == []
    return [event.record for event in found if event.record]


def read(folder: Path) -> list[AnyRecord]:
    """What the reader finds in the saver's folder."""
    (run,) = (folder / "saved").iterdir()
    records = list(CuaReader().read(run, "cua-1"))
    assert [record for record in records if isinstance(record, Problem)] == []
    return [record for record in records if not isinstance(record, Problem)]


def steps(records: list[AnyRecord]) -> list[Any]:
    """Number, percent, message and data of each step, without what tells of places."""
    found = [record for record in records if isinstance(record, ProgressUpdate)]
    return [(s.step, s.progress_percent, s.message, _without_places(s.data)) for s in found]


def _without_places(data: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in data.items() if key not in OF_THE_PLACE}
    if "answer" in kept and isinstance(kept["answer"], dict):
        kept["answer"] = {k: v for k, v in kept["answer"].items() if k not in OF_THE_PLACE}
    return kept


def screenshots(records: list[AnyRecord]) -> tuple[set[Any], set[Any]]:
    """Step and hash of each picture, and of those that stand for their step.

    The saver also draws on copies, which show nothing new.
    """
    files = [record.file for record in records if isinstance(record, Upload)]
    shown = [file for file in files if file.metadata["kind"] != "annotated"]
    primary = [file for file in shown if file.metadata["primary"]]
    return _steps_of(shown), _steps_of(primary)


def _steps_of(files: list[StoredFile]) -> set[Any]:
    return {(file.metadata.get("step"), file.sha256) for file in files}


def errors(records: list[AnyRecord]) -> list[str]:
    found = [record for record in records if isinstance(record, LogEntry)]
    return [entry.message for entry in found if entry.level == "error"]


def tasks(folder: Path) -> dict[Any, AgentTask]:
    """The latest word about each task."""
    found = events(Spool(folder / "spool"), Lane.ROWS)
    return {e.record.id: e.record for e in found if isinstance(e.record, AgentTask)}
