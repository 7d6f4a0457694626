"""Trajectories in the Agent Trajectory Interchange Format."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, clean_text, printable
from agentruns.models import Status, imported_id
from agentruns.trajectories.atif.content import image_of, inside, parts_in
from agentruns.trajectories.atif.steps import step_records
from agentruns.trajectories.files import Unreadable, read_pieces
from agentruns.trajectories.item_run import (
    Beginning,
    ItemRun,
    digest_of,
    guarded,
    last_change,
    score_of,
)
from agentruns.trajectories.json_head import head_of
from agentruns.trajectories.json_parts import Part, parts_of
from agentruns.trajectories.listing import file_items
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment, from_iso
from agentruns.trajectories.values import as_list, as_object, as_text, text_of

BEGINNING = re.compile(rb'"ATIF-v\d')
VERSION = re.compile(r"ATIF-v(\d{1,3})\.(\d{1,3})\Z")
NEWEST = 7
STEPS = "steps"
SUBAGENTS = "subagent_trajectories"
DEEPEST = 4
REWARDS = ("reward", "rewards", "score")


class AtifReader:
    """Reads one JSON file a trajectory, and the pictures below its folder."""

    name = "atif"

    def recognise(self, path: Path) -> bool:
        """Tell whether the file begins with the format's version, whichever it is."""
        return bool(BEGINNING.match(head_of(path).values.get("schema_version", b"")))

    def items(self, folder: Path) -> Iterator[Path]:
        """Every trajectory in the folder, in order of paths; no link is followed."""
        return file_items(folder, self.recognise)

    def files(self, item: Path) -> Iterator[Path]:
        """The trajectory, and the pictures below its folder that its steps refer to."""
        yield item
        told = set()
        with suppress(Unreadable):
            for part in parts_of(read_pieces(item.parent, item.name)):
                for found in _pictures(item.parent, part):
                    if found not in told:
                        told.add(found)
                        yield item.parent / found

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
        """Everything in the file, step by step; `after` counts the steps in it."""
        path = printable(item.name)
        seen = _look_through(item, timezone)
        fault = version_fault(seen.root.get("schema_version"))
        if fault:
            yield Problem(path, 0, fault)
        if fault and not is_known_version(seen.root.get("schema_version")):
            return
        beginning = _beginning(item, seen, unfinished)
        identity = ("task", agent_id, beginning.ref, beginning.digest)
        run = ItemRun(
            agent_id=agent_id,
            task_id=task_id or imported_id(self.name, *identity),
            moment=beginning.began,
            patterns=patterns or SecretPatterns(),
            format=self.name,
            folder=item.parent,
            timezone=timezone,
        )
        yield from guarded(path, run.opening(beginning, is_known=task_id is not None))
        yield from guarded(path, _parts(run, item, path, after))
        run.at(beginning.ended)
        yield from guarded(path, _reward(run, seen.root, path))


@dataclass(slots=True)
class _Seen:
    """What one look through the trajectory tells."""

    root: dict[str, Any] = field(default_factory=dict)
    """Its values other than steps and sub-agents."""
    digest: str = ""
    asked: str = ""
    began: Moment | None = None
    ended: Moment | None = None
    steps: int = 0


def is_known_version(version: Any) -> bool:
    """Whether the major version is one that can be read."""
    found = VERSION.match(as_text(version))
    return bool(found and int(found[1]) < 2)


def version_fault(version: Any) -> str | None:
    """Why a version cannot be read, or not surely, in one sentence."""
    found = VERSION.match(as_text(version))
    if not found:
        return "schema_version is no version of ATIF, so the file was not read."
    if int(found[1]) > 1:
        return "The ATIF version is 2 or newer, which is not known, so the file was not read."
    if int(found[2]) > NEWEST:
        return f"The ATIF version is newer than 1.{NEWEST}; it was taken for that."
    return None


def _look_through(item: Path, zone: tzinfo) -> _Seen:
    seen = _Seen()
    with suppress(Unreadable):
        for part in parts_of(read_pieces(item.parent, item.name)):
            with suppress(Unreadable):
                if part.place is None:
                    seen.root[part.key] = part.value()
                elif part.key == STEPS:
                    _look_at(seen, as_object(part.value()), zone)
    return seen


def _look_at(seen: _Seen, step: dict[str, Any], zone: tzinfo) -> None:
    seen.steps += 1
    seen.digest = seen.digest or digest_of(step)
    moment = from_iso(step.get("timestamp"), zone)
    seen.began, seen.ended = seen.began or moment, moment or seen.ended
    if not seen.asked and step.get("source") == "user":
        seen.asked = text_of(step.get("message"))


def _beginning(item: Path, seen: _Seen, unfinished: Status) -> Beginning:
    changed, root = last_change(item), seen.root
    named = clean_text(as_text(root.get("trajectory_id")) or as_text(root.get("session_id")))
    ref = (named or printable(item.name))[:300]
    extra = as_object(root.get("extra"))
    told = {"schema_version", "extra"}
    return Beginning(
        ref=ref,
        digest=seen.digest,
        title=seen.asked or f"ATIF trajectory {ref}",
        asked=seen.asked,
        status=_status(extra, unfinished),
        began=seen.began or changed,
        ended=seen.ended or changed,
        about={
            "version": root.get("schema_version"),
            "steps": seen.steps,
            "usage": as_object(root.get("final_metrics")),
            "extra": extra,
            **{key: value for key, value in root.items() if key not in told},
        },
    )


def _status(extra: dict[str, Any], unfinished: Status) -> Status:
    said = extra.get("status")
    if said in ("running", "in_progress"):
        return unfinished
    return Status(said) if isinstance(said, str) and said in set(Status) else Status.COMPLETED


def _parts(run: ItemRun, item: Path, path: str, after: int) -> Records:
    found = 0
    for part in parts_of(read_pieces(item.parent, item.name)):
        if part.key == STEPS and part.place is None:
            yield Problem(path, part.offset, "The steps are not a list.")
        elif part.key == STEPS:
            found += 1
            if (part.place or 0) > after:
                yield from guarded(path, _one_step(run, path, part), part.offset)
        elif part.key == SUBAGENTS and part.place is not None:
            yield from guarded(path, _sub_agent(run, path, part), part.offset)
        else:
            yield from guarded(path, _is_readable(part), part.offset)
    if not found:
        yield Problem(path, None, "The trajectory has no steps.")


def _is_readable(part: Part) -> Records:
    """A problem where a value of the trajectory itself is broken; what it says was told before."""
    part.value()
    yield from ()


def _one_step(run: ItemRun, path: str, part: Part) -> Records:
    for record in step_records(run, path, part.value(), part.place or 0):
        if isinstance(record, Problem) and record.offset is None and record.path == path:
            yield Problem(path, part.offset, record.reason)
        else:
            yield record


def _sub_agent(run: ItemRun, path: str, part: Part) -> Records:
    yield from _nested(run, path, part.value(), str(part.place), 1)


def _nested(run: ItemRun, path: str, value: Any, of: str, depth: int) -> Records:
    trajectory = as_object(value)
    steps = as_list(trajectory.get("steps"))
    if not steps or depth > DEEPEST:
        yield Problem(path, None, "A sub-agent's trajectory has no steps, or is nested too deeply.")
        return
    named = clean_text(as_text(trajectory.get("trajectory_id")))
    of = f"{of}:{named}"[:300]
    for place, step in enumerate(steps):
        yield from guarded(path, step_records(run, path, step, place, of))
    for place, inner in enumerate(as_list(trajectory.get(SUBAGENTS))):
        yield from _nested(run, path, inner, f"{of}/{place}", depth + 1)


def _reward(run: ItemRun, root: dict[str, Any], path: str) -> Records:
    totals = as_object(root.get("final_metrics"))
    for place in (root, as_object(root.get("extra")), totals, as_object(totals.get("extra"))):
        for name in REWARDS:
            if (raw := place.get(name)) is not None:
                report = f"the trajectory's {name}"
                yield run.verdict("atif-reward", score_of(raw), report, {"raw": raw}, path)
                return


def _pictures(folder: Path, part: Part) -> Iterator[str]:
    if part.place is None or part.key not in {STEPS, SUBAGENTS}:
        return
    with suppress(Unreadable):
        value = as_object(part.value())
        steps = [value] if part.key == STEPS else _all_steps(value, 1)
        for where in (image_of(inner) for step in steps for inner in parts_in(step)):
            is_path = where and "://" not in where and not where.startswith("data:")
            if is_path and (found := inside(folder, where)):
                yield found


def _all_steps(trajectory: dict[str, Any], depth: int) -> list[dict[str, Any]]:
    own = [as_object(step) for step in as_list(trajectory.get("steps"))]
    inner = as_list(trajectory.get(SUBAGENTS)) if depth < DEEPEST else []
    return own + [step for each in inner for step in _all_steps(as_object(each), depth + 1)]
