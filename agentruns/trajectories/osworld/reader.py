"""Runs that OSWorld's runners leave on disk."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, printable
from agentruns.models import Status, imported_id
from agentruns.trajectories.files import Unreadable, parse_object, read_content, read_pieces
from agentruns.trajectories.item_run import Beginning, ItemRun, guarded, last_change
from agentruns.trajectories.json_head import keys_of
from agentruns.trajectories.lines import lines_of
from agentruns.trajectories.listing import Listing, folder_items, list_files, names_in
from agentruns.trajectories.osworld.lines import STEP_FILE, TRAJECTORY, Entry, entries
from agentruns.trajectories.osworld.results import RESULT, listed_records, result_records
from agentruns.trajectories.osworld.steps import PICTURE, StepReader, with_last
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment
from agentruns.trajectories.values import as_text
from agentruns.trajectories.walking import is_folder, walk

COMPANIONS = frozenset({RESULT, "runtime.log", "recording.mp4", "initial_state.png"})
STEP_PICTURE = re.compile(r"step_\d.*\.png\Z")
KEYS = {"step_num", "Error", "screenshot_file", "action_timestamp", "initial_state"}
OBSERVATIONS = frozenset({"screenshot", "a11y_tree", "screenshot_a11y_tree", "som"})
#: What people look through, not the benchmark's.
SKIPPED = frozenset({"onboard"})
HEAD = 65_536


class OsworldReader:
    """Reads one folder a task: traj.jsonl, a picture a step, result.txt."""

    name = "osworld"

    def recognise(self, path: Path) -> bool:
        """Tell whether the folder holds a trajectory, or what only a crashed run leaves."""
        names = names_in(path)
        if TRAJECTORY in names and _begins_like_steps(path):
            return True
        if not any(name == TRAJECTORY or STEP_FILE.match(name) for name in names):
            return RESULT in names and any(map(STEP_PICTURE.match, names))
        return any(name in COMPANIONS or STEP_PICTURE.match(name) for name in names)

    def items(self, folder: Path) -> Iterator[Path]:
        """Every run in the folder, itself included, in order of paths; no link is followed."""
        return folder_items(folder, self.recognise, SKIPPED)

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
        """Everything in the folder, line by line; `after` counts lines."""
        listing = list_files(item)
        yield from listing.problems
        seen = _look_through(item, listing, timezone)
        beginning = _beginning(item, listing, seen, unfinished)
        run = ItemRun(
            agent_id=agent_id,
            task_id=task_id
            or imported_id(self.name, "task", agent_id, beginning.ref, beginning.digest),
            moment=beginning.began,
            patterns=patterns or SecretPatterns(),
            format=self.name,
            folder=item,
            timezone=timezone,
        )
        yield from guarded(".", run.opening(beginning, is_known=task_id is not None))
        yield from _steps(run, listing, after)
        run.at(Moment(beginning.ended.time, beginning.ended.time_from))
        verdicts = result_records(run) if RESULT in listing.names else listed_records(run)
        yield from guarded(RESULT, verdicts)


@dataclass(slots=True)
class _Seen:
    """What one look through the lines tells."""

    first: str = ""
    instruction: str = ""
    began: Moment | None = None
    ended: Moment | None = None
    ends_in_error: bool = False
    entries: int = 0


def _look_through(item: Path, listing: Listing, zone: tzinfo) -> _Seen:
    seen = _Seen()
    for entry in entries(item, listing.names):
        if isinstance(entry, Entry):
            moment = entry.moment(zone)
            seen.first = seen.first or entry.sha256
            seen.instruction = seen.instruction or as_text(entry.document.get("instruction"))
            seen.began, seen.ended = seen.began or moment, moment or seen.ended
            seen.ends_in_error = "Error" in entry.document
            seen.entries += 1
    return seen


def _steps(run: ItemRun, listing: Listing, after: int) -> Records:
    reader = StepReader(run, listing.names)
    for entry, is_last in with_last(entries(run.folder, listing.names)):
        if isinstance(entry, Problem):
            yield entry
            continue
        records = guarded(entry.path, reader.records(entry, is_last=is_last), entry.offset)
        yield from (record for record in records if entry.number > after)
    if not reader.errors and TRAJECTORY not in listing.names:
        yield from _missing(listing)
    yield from reader.left_pictures()


def _missing(listing: Listing) -> Records:
    if not any(map(STEP_FILE.match, listing.names)):
        yield Problem(TRAJECTORY, None, "The file is not there, so no step is known.")


def _beginning(item: Path, listing: Listing, seen: _Seen, unfinished: Status) -> Beginning:
    changed = last_change(item / (TRAJECTORY if TRAJECTORY in listing.names else "."))
    ref = ref_of(item)
    asked = seen.instruction or _text(item, listing, "instruction.txt")
    kept_whole = [n for n in listing.names if not (PICTURE.match(n) or n == TRAJECTORY)]
    about: dict[str, Any] = {"files": len(listing.names), "lines": seen.entries}
    about |= {"archived_only": [printable(n) for n in kept_whole if n != RESULT][:100]}
    return Beginning(
        ref=ref,
        digest=seen.first or _first_of_log(item),
        title=asked or f"OSWorld task {'/'.join(ref.split('/')[-2:])}",
        asked=asked,
        status=_status(listing, seen, unfinished),
        began=seen.began or changed,
        ended=seen.ended or changed,
        about=about | _arguments(item),
    )


def _status(listing: Listing, seen: _Seen, unfinished: Status) -> Status:
    if seen.ends_in_error:
        return Status.FAILED
    return Status.COMPLETED if RESULT in listing.names else unfinished


def ref_of(item: Path) -> str:
    """The path of the run in its results: action space, observation, model, domain and task."""
    parts = item.absolute().parts
    known = 5 if len(parts) > 5 and parts[-4] in OBSERVATIONS else 3
    return "/".join(map(printable, parts[-known:]))[:400]


def _arguments(item: Path) -> dict[str, Any]:
    """What the runner was told for all tasks of the model, where it wrote that down."""
    for above in list(item.absolute().parents)[1:2]:
        try:
            return {"args": parse_object(read_content(above, "args.json").data)}
        except Unreadable:
            return {}
    return {}


def _text(item: Path, listing: Listing, name: str) -> str:
    try:
        found = read_content(item, name).data if name in listing.names else b""
    except Unreadable:
        return ""
    return found.decode("utf-8", "replace")


def _first_of_log(item: Path) -> str:
    """The first line of the log, which begins with a time: all that a crash may leave."""
    try:
        line = next(lines_of(read_pieces(item, "runtime.log")), None)
    except Unreadable:
        return ""
    return line.data[:1000].decode("utf-8", "replace") if line else ""


def _begins_like_steps(path: Path) -> bool:
    if not is_folder(path):
        return False
    try:
        head = next(read_pieces(path, TRAJECTORY), b"")[:HEAD]
        first = next(lines_of([head]), None)
        return bool(first and keys_of(first.data) & KEYS)
    except Unreadable:
        return False
