"""The files of one experiment in the order in which they were written, known by name alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.local_times import local_time, unix_time
from agentruns.trajectories.walking import walk

STAMP = "%Y%m%d_%H%M%S"
SCREENSHOT = re.compile(r"screenshot_(?P<number>\d{1,9})(_(?P<action>.*))?_(?P<ms>\d{13})\.png\Z")
ANNOTATED = re.compile(r"vis_(?P<action>.*)_(?P<ms>\d{13})\.png\Z")
API_CALL = re.compile(
    r"api_call_(?P<stamp>\d{8}_\d{6})_(?P<kind>request|response|error|agent_response)\.json\Z"
)
PLACE = re.compile(r"turn_(?P<turn>\d{1,9})/(?P<file>[^/]+)\Z")
#: Within one second: asked, answered or failed, understood.
ORDER = ("request", "response", "error", "agent_response")


@dataclass(frozen=True, slots=True)
class Part:
    """One file, what it is, and when it was written as far as its name tells."""

    artifact: Artifact
    kind: str
    action: str
    time: datetime | None
    is_local: bool
    """The time had no zone."""


def list_parts(folder: Path, timezone: tzinfo) -> tuple[list[Part], list[str]]:
    """The files whose names the format has, in order, and the paths of all others."""
    parts: list[tuple[tuple[int, float, int, str], Part]] = []
    others: list[str] = []
    for path in _paths(folder):
        place = PLACE.match(path)
        if place and (part := part_of(path, place["file"], timezone)):
            when = part.time.timestamp() if part.time else 0.0
            rank = ORDER.index(part.kind) if part.kind in ORDER else len(ORDER)
            parts.append(((int(place["turn"]), when, rank, path), part))
        else:
            others.append(path)
    return [part for _, part in sorted(parts, key=lambda found: found[0])], others


def part_of(path: str, name: str, timezone: tzinfo) -> Part | None:
    """What a file's name says, or None for one that the format does not have."""
    if found := SCREENSHOT.match(name):
        return _picture(path, "screenshot", found)
    if found := ANNOTATED.match(name):
        return _picture(path, "vis", found)
    if found := API_CALL.match(name):
        time = local_time(found["stamp"], STAMP, timezone)
        names = {"request": "api_start", "response": "api_result"}
        artifact = Artifact(0, path, names.get(found["kind"], found["kind"]), "json")
        return Part(artifact, found["kind"], "", time, is_local=True)
    return None


def _picture(path: str, kind: str, found: re.Match[str]) -> Part:
    time = unix_time(int(found["ms"]) / 1000)
    artifact = Artifact(0, path, kind, "png")
    return Part(artifact, kind, found["action"] or "", time, is_local=False)


def _paths(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in walk(folder))
