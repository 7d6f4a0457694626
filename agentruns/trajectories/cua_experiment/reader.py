"""Runs of cua's older ExperimentManager: screenshots and API calls, a turn a folder."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, picture_fault, printable
from agentruns.models import AgentTask, Level, Status, imported_id
from agentruns.trajectories.cua.answers import answer_records, exchange_records
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.calls import Call, call_records
from agentruns.trajectories.cua.folder import Folder
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.metadata import title_of
from agentruns.trajectories.cua.reading import guarded, read_loose
from agentruns.trajectories.cua.time import from_folder
from agentruns.trajectories.cua_experiment.listing import (
    ANNOTATED,
    API_CALL,
    SCREENSHOT,
    STAMP,
    Part,
    list_parts,
)
from agentruns.trajectories.files import Unreadable, fingerprint, parse_object, read_content
from agentruns.trajectories.finding import items_of, names_in
from agentruns.trajectories.local_times import local_time
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment
from agentruns.trajectories.values import as_list, as_object, text_of
from agentruns.trajectories.walking import is_folder, walk

TURN = re.compile(r"turn_\d{1,9}\Z")
#: Turns that are looked into before a folder is called none of ours.
LOOKED_INTO = 20


class CuaExperimentReader:
    """Reads one folder a run: screenshots, annotated copies and API calls in turn folders."""

    name = "cua_experiment"

    def recognise(self, path: Path) -> bool:
        """Tell whether a turn of the folder holds a file with a name of this format."""
        turns = (path / name for name in names_in(path) if TURN.match(name))
        names = chain.from_iterable(map(names_in, islice(turns, LOOKED_INTO)))
        return any(pattern.match(n) for n in names for pattern in (SCREENSHOT, ANNOTATED, API_CALL))

    def items(self, folder: Path) -> Iterator[Path]:
        """Every run at or below the folder."""
        return items_of(self, folder)

    def files(self, item: Path) -> Iterator[Path]:
        """Everything below the folder."""
        return walk(item)

    def read(  # noqa: PLR0913 - options by name, each with its default
        self,
        item: Path,
        agent_id: str,
        task_id: UUID | None = None,
        *,
        after: int = -1,
        unfinished: Status = Status.INTERRUPTED,
        patterns: SecretPatterns | None = None,
        timezone: tzinfo = UTC,
    ) -> Records:
        """A step for each action the model chose; runs never say that they ended."""
        if not is_folder(item):
            yield Problem(".", None, "The folder is gone or is no folder.")
            return
        parts, others = list_parts(item, timezone)
        run = _begin(item, agent_id, task_id, parts, others, timezone)
        run.patterns = patterns or run.patterns
        if task_id is None:
            yield _task_of(run, parts, unfinished)
        last_of_turn = {p.artifact.turn: p.artifact.path for p in parts if p.kind == "screenshot"}
        for part in parts:
            _set_clock(run, part, timezone)
            yield from guarded(run, part.artifact, _reading(part, last_of_turn))
        yield from read_loose(run)


def _begin(  # noqa: PLR0917, PLR0913 - one call, right above
    folder: Path,
    agent_id: str,
    task_id: UUID | None,
    parts: list[Part],
    others: list[str],
    timezone: tzinfo,
) -> FolderRun:
    name = printable(folder.name)
    run = FolderRun(
        folder=folder,
        agent_id=agent_id,
        task_id=task_id
        or imported_id("cua_experiment", "task", agent_id, name, _first_sha256(folder, parts)),
        listing=Folder(artifacts=[part.artifact for part in parts], loose=others),
        moment=_beginning(folder, parts, timezone),
    )
    local = run.moment.time_from.startswith("local") or any(part.is_local for part in parts)
    run.about = {"timezone": str(timezone)} if local else {}
    return run


def _beginning(folder: Path, parts: list[Part], timezone: tzinfo) -> Moment:
    if named := local_time(folder.name, STAMP, timezone):
        return Moment(named, f"local time in the run's name, taken as {timezone}")
    if moments := [moment for part in parts if (moment := _moment(part, timezone))]:
        return min(moments)
    return from_folder(folder, "")


def _first_sha256(folder: Path, parts: list[Part]) -> str:
    """Keeps two runs apart that began in the same second: their first files differ."""
    # By path, so that the identity does not hang on the zone.
    first = min((part.artifact.path for part in parts), default="")
    try:
        return fingerprint(folder, first).sha256 if first else ""
    except Unreadable:
        return ""


def _task_of(run: FolderRun, parts: list[Part], status: Status) -> AgentTask:
    times = [part.time for part in parts if part.time]
    began, going_on = min([run.moment.time, *times]), status is Status.IN_PROGRESS
    ended = max([run.moment.time, *times])
    asked = run.plain(_assignment(run.folder, parts)).strip()
    name = printable(run.folder.name)
    return AgentTask(
        id=run.task_id,
        agent_id=run.agent_id,
        title=title_of(asked) or f"cua run {name}"[:400],
        description=asked or None,
        status=status,
        status_at=began if going_on else ended,
        metadata={
            "source_ref": f"cua_experiment:{name}",
            "source": {"format": "cua_experiment", "folder": name},
            "time_from": run.moment.time_from,
            "files": {"artifacts": len(parts), "loose": len(run.listing.loose)},
            **run.about,
        },
        created_at=began,
        started_at=began,
        finished_at=None if going_on else ended,
    )


def _assignment(folder: Path, parts: list[Part]) -> str:
    """What the user asked for, as the first request repeats it."""
    first = next((part.artifact for part in parts if part.kind == "request"), None)
    try:
        document = parse_object(read_content(folder, first.path).data) if first else {}
    except Unreadable:
        return ""
    messages = map(as_object, _messages(document.get("request")))
    asked = (text_of(m.get("content")) for m in messages if m.get("role", "user") == "user")
    return next(filter(None, asked), "")


def _messages(request: Any) -> list[Any]:
    return as_list(as_object(request).get("messages", request))


def _set_clock(run: FolderRun, part: Part, timezone: tzinfo) -> None:
    if moment := _moment(part, timezone):
        run.moment = moment
    elif run.moment.time_from.startswith(("file", "local time in the file")):
        run.moment = Moment(run.moment.time, "file before it")


def _moment(part: Part, timezone: tzinfo) -> Moment | None:
    if not part.time:
        return None
    said = f"local time in the file's name, taken as {timezone}" if part.is_local else "file"
    return Moment(part.time, said)


def _reading(part: Part, last_of_turn: dict[str, str]) -> Callable[[FolderRun, Artifact], Records]:
    if part.artifact.type == "json":
        return READINGS[part.kind]
    is_last = last_of_turn.get(part.artifact.turn) == part.artifact.path

    def read(run: FolderRun, artifact: Artifact) -> Records:
        return _read_picture(run, artifact, part.action, primary=is_last)

    return read


def _read_picture(run: FolderRun, artifact: Artifact, action: str, *, primary: bool) -> Records:
    content = read_content(run.folder, artifact.path).data
    if fault := picture_fault(content):
        raise Unreadable(fault, len(content))
    step = run.listing.steps.get(artifact.turn, run.calls + 1)
    kind = "state" if artifact.name == "screenshot" else "annotated"
    name = printable(artifact.path)[-300:]
    about = {"step": step, "name": name, "kind": kind, "action": action, "primary": primary}
    yield run.upload(artifact.path, content, about)


def _read_exchange(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    said = parse_object(content.data)
    kwargs = {"messages": _messages(said.get("request"))}
    document = {"kwargs": kwargs, "result": said.get("response")}
    facts = {"size_bytes": len(content.data), "model": said.get("model")}
    facts |= {"provider": said.get("provider"), "response": said.get("response")}
    yield from exchange_records(run, artifact, document, facts, content.sha256)


def _read_error(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    said = parse_object(content.data)
    known = {key: said.get(key) for key in ("error", "model", "provider")}
    kept = run.storable({"kind": "error", **known, **run.origin(artifact.path, content.sha256)})
    message = f"the model's provider: {said.get('error')}"
    yield run.log(Level.ERROR, message, kept, artifact.path, content.sha256)


def _read_answer(run: FolderRun, artifact: Artifact) -> Records:
    content = read_content(run.folder, artifact.path)
    document = parse_object(content.data)
    yield from answer_records(run, artifact, document, content.sha256)
    items = map(as_object, as_list(as_object(document.get("response")).get("output")))
    calls = [item for item in items if item.get("type") in {"computer_call", "function_call"}]
    for number, item in enumerate(calls):
        run.calls += 1
        run.listing.steps[artifact.turn] = run.calls
        call = Call(item, [], [])
        yield from call_records(run, artifact, call, content.sha256, str(number))


READINGS: dict[str, Callable[[FolderRun, Artifact], Records]] = {
    "request": _read_exchange,
    "response": _read_exchange,
    "error": _read_error,
    "agent_response": _read_answer,
}
