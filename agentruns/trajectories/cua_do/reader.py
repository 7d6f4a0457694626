"""Recordings of `cua do`: each turn is one action and the screenshot after it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from agentruns.cleaning import SecretPatterns, picture_fault, printable
from agentruns.models import AgentTask, Status, imported_id
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.calls import Call, call_records
from agentruns.trajectories.cua.folder import Folder
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.pictures import named_picture
from agentruns.trajectories.cua.time import from_folder
from agentruns.trajectories.cua_do.source import FolderSource, Source, ZipSource, opened_zip
from agentruns.trajectories.files import Unreadable, parse_object
from agentruns.trajectories.finding import items_of, names_in
from agentruns.trajectories.local_times import local_time, unix_time
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment
from agentruns.trajectories.values import as_list, as_object
from agentruns.trajectories.walking import is_folder, walk

TURN = re.compile(r"turn_\d{1,9}\Z")
PLACE = re.compile(
    r"turn_(?P<number>\d{1,9})/(?P<name>screenshot|turn_\d{1,9}_agent_response)\.(?P<type>json|png)\Z"
)
SESSION = "%Y%m%d-%H%M%S"
#: Turns that are looked into before a folder is called none of ours.
LOOKED_INTO = 20


class CuaDoReader:
    """Reads one session a folder, or a zip of one."""

    name = "cua_do"

    def recognise(self, path: Path) -> bool:
        """Tell whether a turn in the folder or zip holds what the recorder writes."""
        if is_folder(path):
            return any(map(PLACE.match, _first_paths(path)))
        return path.suffix == ".zip" and _is_recording(path)

    def items(self, folder: Path) -> Iterator[Path]:
        """Every session at or below the folder."""
        return items_of(self, folder)

    def files(self, item: Path) -> Iterator[Path]:
        """Everything below the folder, or the zip itself."""
        return walk(item) if is_folder(item) else iter((item,))

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
        """A step for each action, and its screenshot; sessions never end, so `unfinished` holds."""
        try:
            with _opened(item) as source:
                session = _Session(item, source, agent_id, task_id, timezone)
                session.run.patterns = patterns or session.run.patterns
                if task_id is None:
                    yield session.task(unfinished)
                yield from session.records()
        except Unreadable as fault:
            yield Problem(".", fault.offset, fault.reason)


class _Session:
    """One recording on its way to records."""

    def __init__(
        self, item: Path, source: Source, agent_id: str, task_id: UUID | None, timezone: tzinfo
    ) -> None:
        self._item = item
        self._source = source
        self._timezone = timezone
        self._artifacts, self._others = _listed(source)
        self._moments = [m for m in map(self._told, self._ends()) if m]
        self.run = FolderRun(
            folder=item,
            agent_id=agent_id,
            task_id=task_id or self._identity(agent_id),
            listing=Folder(artifacts=self._artifacts, loose=self._others),
            moment=self._beginning(),
        )
        self.run.about = {"timezone": str(timezone)} if self._is_assumed else {}

    @property
    def _is_assumed(self) -> bool:
        return self.run.moment.time_from.startswith("local time")

    def _ends(self) -> list[Artifact]:
        answers = [a for a in self._artifacts if a.type == "json"]
        return [answers[0], answers[-1]] if answers else []

    def _told(self, artifact: Artifact) -> datetime | None:
        try:
            document = parse_object(self._source.read(artifact.path).data)
        except Unreadable:
            return None
        return unix_time(as_object(document.get("response")).get("created_at"))

    def _beginning(self) -> Moment:
        if self._moments:
            return Moment(self._moments[0], "file")
        if named := local_time(self._item.name[:15], SESSION, self._timezone):
            return Moment(named, f"local time in the session's name, taken as {self._timezone}")
        return from_folder(self._item, "")

    def _identity(self, agent_id: str) -> UUID:
        """The same for a session and its zip: its name, and the content of its first file."""
        try:
            first = self._source.read(self._artifacts[0].path).sha256
        except (IndexError, Unreadable):
            first = ""
        return imported_id("cua_do", "task", agent_id, self._name, first)

    @property
    def _name(self) -> str:
        return printable(self._item.name.removesuffix(".zip"))

    def task(self, unfinished: Status) -> AgentTask:
        """The task; which machine it was is the name of the folder around it."""
        began = self.run.moment.time
        ended = max([began, *self._moments])
        machine = printable(self._item.parent.name)
        going_on = unfinished is Status.IN_PROGRESS
        return AgentTask(
            id=self.run.task_id,
            agent_id=self.run.agent_id,
            title=f"cua do {self._name} on {machine}"[:400],
            status=unfinished,
            status_at=began if going_on else ended,
            metadata={
                "source_ref": f"cua_do:{self._name}",
                "source": {"format": "cua_do", "session": self._name, "machine": machine},
                "time_from": self.run.moment.time_from,
                "files": {"artifacts": len(self._artifacts), "loose": len(self._others)},
                **self.run.about,
            },
            created_at=began,
            started_at=began,
            finished_at=None if going_on else ended,
        )

    def records(self) -> Records:
        """What each turn says, then what no rule of the format places."""
        for artifact in self._artifacts:
            read = self._turn if artifact.type == "json" else self._picture
            yield from self._guarded(artifact.path, read(artifact))
        for path in self._others:
            yield from self._guarded(path, self._stranger(path))

    def _guarded(self, path: str, records: Records) -> Records:
        try:
            yield from records
        except Unreadable as fault:
            yield Problem(printable(path), fault.offset, fault.reason)
        except ValidationError:
            yield Problem(printable(path), None, "Its content does not fit any record.")

    def _turn(self, artifact: Artifact) -> Records:
        content = self._source.read(artifact.path)
        response = as_object(parse_object(content.data).get("response"))
        if told := unix_time(response.get("created_at")):
            self.run.moment = Moment(told, "file")
        elif "created_at" in response:
            yield Problem(printable(artifact.path), None, "created_at holds no possible time.")
        calls = [item for item in map(as_object, as_list(response.get("output"))) if _is_call(item)]
        if not calls:
            raise Unreadable("The file does not hold the call that was made.")
        for number, item in enumerate(calls):
            self.run.calls += 1
            part = (str(number),) if number else ()
            yield from call_records(self.run, artifact, _call(item), content.sha256, *part)
        self.run.listing.steps[artifact.turn] = self.run.calls

    def _picture(self, artifact: Artifact) -> Records:
        content = self._source.read(artifact.path).data
        if fault := picture_fault(content):
            raise Unreadable(fault, len(content))
        self.run.listing.steps.setdefault(artifact.turn, self.run.calls + 1)
        yield named_picture(self.run, artifact, content)

    def _stranger(self, path: str) -> Records:
        content = self._source.read(path).data
        if picture_fault(content):
            raise Unreadable("A file that the format does not have.")
        about = {"name": printable(path)[-300:], "kind": "loose", "primary": False}
        yield self.run.upload(printable(path), content, about)


def _is_call(item: dict[str, Any]) -> bool:
    return item.get("type") in {"computer_call", "function_call"}


def _call(item: dict[str, Any]) -> Call:
    return Call(item, [], [])


def _listed(source: Source) -> tuple[list[Artifact], list[str]]:
    """The files of the turns, each action before its screenshot; and the paths of all others."""
    artifacts, others = [], []
    for path in source.names():
        if found := PLACE.match(path):
            name = "screenshot" if found["name"] == "screenshot" else "agent_response"
            if (name == "screenshot") is (found["type"] == "png"):
                artifacts.append(Artifact(int(found["number"]), path, name, found["type"]))
                continue
        others.append(path)
    return sorted(artifacts, key=lambda a: (a.number, a.type, a.path)), others


@contextmanager
def _opened(item: Path) -> Iterator[Source]:
    if is_folder(item):
        yield FolderSource(item)
    else:
        with opened_zip(item) as archive:
            yield ZipSource(archive)


def _is_recording(path: Path) -> bool:
    try:
        with opened_zip(path) as archive:
            return any(map(PLACE.match, archive.namelist()))
    except Unreadable:
        return False


def _first_paths(folder: Path) -> Iterator[str]:
    turns = islice((name for name in names_in(folder) if TURN.match(name)), LOOKED_INTO)
    return chain.from_iterable(
        (f"{turn}/{name}" for name in names_in(folder / turn)) for turn in turns
    )
