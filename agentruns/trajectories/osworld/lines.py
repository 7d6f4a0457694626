"""The lines of a traj.jsonl, or the traj_<n>.json files of runners that write those."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from agentruns.cleaning import printable
from agentruns.trajectories.files import Unreadable, parse_object, read_content, read_pieces
from agentruns.trajectories.item_run import ordinal
from agentruns.trajectories.lines import Line, lines_of
from agentruns.trajectories.reader import Problem
from agentruns.trajectories.times import Moment, in_zone

TRAJECTORY = "traj.jsonl"
STEP_FILE = re.compile(r"traj_(\d{1,9})\.json\Z")
#: Later repetitions are no longer noticed.
MOST_REMEMBERED = 100_000
TIMES = ("%Y%m%d@%H%M%S", "%Y%m%d@%H%M%S%f", "%Y%m%d@%H%M%S_%f")
TIME = re.compile(r"\d{8}@\d{6}(_?\d{1,6})?\Z")


class Entry(NamedTuple):
    """One line, or one file, that tells of the run."""

    path: str
    number: int
    offset: int | None
    sha256: str
    document: dict[str, Any]
    attempt: int = 1
    """Runners append: which of the runs in the file this belongs to."""

    @property
    def step(self) -> int | None:
        """The step it belongs to; several lines may share one."""
        return ordinal(self.document.get("step_num"))

    def moment(self, zone: tzinfo) -> Moment | None:
        """When the action was done, by a local clock."""
        return moment_of(self.document.get("action_timestamp"), zone)


def moment_of(value: Any, zone: tzinfo) -> Moment | None:
    """The moment of an `action_timestamp` in any of its forms."""
    if not isinstance(value, str) or not TIME.match(value):
        return None
    has_fraction = len(value) > len("20251123@010203")
    form = TIMES[0] if not has_fraction else TIMES[2 if "_" in value else 1]
    try:
        return in_zone(datetime.strptime(value, form).replace(tzinfo=UTC), zone)
    except ValueError:
        return None


def entries(folder: Path, names: list[str]) -> Iterator[Entry | Problem]:
    """Everything that tells of the run, in order, without what an append repeated."""
    attempts = _Attempts()
    for entry in _all_entries(folder, names):
        yield attempts.place(entry) if isinstance(entry, Entry) else entry


def _all_entries(folder: Path, names: list[str]) -> Iterator[Entry | Problem]:
    if TRAJECTORY in names:
        yield from _lines(folder)
        return
    numbered = [(int(found[1]), name) for name in names if (found := STEP_FILE.match(name))]
    for number, name in sorted(numbered):
        yield _step_file(folder, number, name)


def _lines(folder: Path) -> Iterator[Entry | Problem]:
    try:
        for line in lines_of(read_pieces(folder, TRAJECTORY)):
            yield _entry_of(line)
    except Unreadable as fault:
        yield Problem(TRAJECTORY, fault.offset, fault.reason)


def _entry_of(line: Line) -> Entry | Problem:
    try:
        data = line.content()
        document = parse_object(data)
    except Unreadable as fault:
        return Problem(TRAJECTORY, line.offset + (fault.offset or 0), fault.reason)
    return Entry(TRAJECTORY, line.number, line.offset, hashlib.sha256(data).hexdigest(), document)


def _step_file(folder: Path, number: int, name: str) -> Entry | Problem:
    try:
        content = read_content(folder, name)
        return Entry(name, number, None, content.sha256, parse_object(content.data))
    except Unreadable as fault:
        return Problem(printable(name), fault.offset, fault.reason)


class _Attempts:
    """Tells the runs apart that were appended to one file."""

    def __init__(self) -> None:
        self._attempt = 1
        self._last: tuple[int, int | None] = (0, None)
        self._seen: dict[str, int] = {}

    def place(self, entry: Entry) -> Entry | Problem:
        """The entry with its attempt, or a problem where it repeats one of an earlier attempt."""
        if entry.step is not None:
            index = ordinal(entry.document.get("action_index"))
            self._attempt += self._begins_anew(entry.step, index)
            self._last = (entry.step, index)
        earlier = self._seen.get(entry.sha256, self._attempt)
        if earlier < self._attempt:
            reason = "The line repeats one of an earlier attempt word by word; it was left out."
            return Problem(entry.path, entry.offset, reason)
        if len(self._seen) < MOST_REMEMBERED:
            self._seen[entry.sha256] = self._attempt
        return entry._replace(attempt=self._attempt)

    def _begins_anew(self, step: int, index: int | None) -> bool:
        last_step, last_index = self._last
        repeats = step == last_step and index is not None and last_index is not None
        return step < last_step or (repeats and (index or 0) <= (last_index or 0))
