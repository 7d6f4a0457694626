"""Experiments that BrowserGym and AgentLab leave on disk."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, clean_json, printable
from agentruns.models import Level, Status, imported_id
from agentruns.trajectories.browsergym.actions import (
    STEPS_INFO,
    TAPE,
    steps_info,
    tape_actions,
    tape_records,
)
from agentruns.trajectories.cua.actions import describe
from agentruns.trajectories.files import Unreadable, fingerprint, parse_object, read_content
from agentruns.trajectories.item_run import Beginning, ItemRun, guarded, last_change, score_of
from agentruns.trajectories.json_head import head_of
from agentruns.trajectories.listing import Listing, folder_items, list_files, names_in
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment, in_zone
from agentruns.trajectories.values import in_words
from agentruns.trajectories.walking import walk

SUMMARY = "summary_info.json"
PICKLED_STEP = re.compile(r"step_(?P<number>\d{1,9})\.pkl\.gz\Z")
PICTURE = re.compile(r"screenshot_(?P<marks>som_)?step_(?P<number>\d{1,9})\.(png|jpe?g)\Z")
NAME = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)_(?P<agent>.+)_on_(?P<task>.+?)_(?P<seed>\d+)(_\d+)?\Z"
)
PICKLE = re.compile(r".*\.pkl(\.gz)?\Z", re.DOTALL)


class BrowserGymReader:
    """Reads one folder an experiment: summary, pictures and JSON, never a pickle."""

    name = "browsergym"

    def recognise(self, path: Path) -> bool:
        """Tell whether the folder holds an experiment: its pickles by name, or its summary."""
        names = names_in(path)
        if any(name == "exp_args.pkl" or PICKLED_STEP.match(name) for name in names):
            return True
        return SUMMARY in names and {"n_steps", "cum_reward"} <= set(head_of(path / SUMMARY).values)

    def items(self, folder: Path) -> Iterator[Path]:
        """Every experiment in the folder, itself included, in order of paths."""
        return folder_items(folder, self.recognise)

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
        """Everything in the folder but its pickles; `after` counts steps."""
        listing = list_files(item)
        yield from listing.problems
        known = _Known(item, listing)
        yield from known.problems
        beginning = _beginning(known, unfinished, timezone)
        identity = ("task", agent_id, beginning.ref, beginning.digest)
        run = ItemRun(
            agent_id=agent_id,
            task_id=task_id or imported_id(self.name, *identity),
            moment=beginning.began,
            patterns=patterns or SecretPatterns(),
            format=self.name,
            folder=item,
            timezone=timezone,
        )
        yield from guarded(".", run.opening(beginning, is_known=task_id is not None))
        for number in sorted(known.numbers()):
            if number > after:
                yield from _step(run, known, number)
        if TAPE in listing.names:
            yield from tape_records(run)
        run.at(beginning.ended)
        yield from guarded(SUMMARY, _closing(run, known))


@dataclass(slots=True)
class _Known:
    """What an experiment's small files say."""

    item: Path
    listing: Listing
    problems: list[Problem] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    steps: dict[int, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[int, list[str]] = field(default_factory=dict)
    pickles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = self.listing.names
        for name in names:
            if found := PICTURE.match(name):
                self.pictures.setdefault(int(found["number"]), []).append(name)
        for pictures in self.pictures.values():
            pictures.sort(key=lambda name: "_som_" in name)
        self.pickles = [name for name in names if PICKLE.match(name)]
        self.summary = self._summary()
        self.steps = tape_actions(self.item) if TAPE in names else {}
        if STEPS_INFO in names:
            self._add_steps_info()

    def numbers(self) -> set[int]:
        """The steps that left anything."""
        pickled = (PICKLED_STEP.match(name) for name in self.pickles)
        return set(self.pictures) | set(self.steps) | {int(p["number"]) for p in pickled if p}

    def _summary(self) -> dict[str, Any]:
        try:
            return parse_object(read_content(self.item, SUMMARY).data)
        except Unreadable as fault:
            self.problems.append(Problem(SUMMARY, fault.offset, fault.reason))
        return {}

    def _add_steps_info(self) -> None:
        try:
            for number, step in steps_info(self.item).items():
                self.steps[number] = {**self.steps.get(number, {}), **step}
        except Unreadable as fault:
            self.problems.append(Problem(STEPS_INFO, fault.offset, fault.reason))


def _beginning(known: _Known, unfinished: Status, zone: tzinfo) -> Beginning:
    changed, name = last_change(known.item), printable(known.item.absolute().name)[:300]
    found, summary = NAME.match(name), known.summary
    goal = next(filter(None, (str(step.get("goal") or "") for step in known.steps.values())), "")
    named = found.groupdict() if found else {}
    about = {"summary": summary, "archived_only": list(map(printable, known.pickles[:100]))}
    ended = last_change(known.item / SUMMARY) if summary else changed
    return Beginning(
        ref=name,
        digest=_first_picture(known),
        title=f"{named['task']} (seed {named['seed']})" if named else f"BrowserGym run {name}",
        asked=goal,
        status=_status(summary, unfinished),
        began=(_named_moment(named["time"], zone) if named else None) or changed,
        ended=ended,
        about={**about, **{k: v for k, v in named.items() if k != "time" and v}},
    )


def _named_moment(text: str, zone: tzinfo) -> Moment | None:
    try:
        moment = in_zone(datetime.strptime(text, "%Y-%m-%d_%H-%M-%S").replace(tzinfo=UTC), zone)
    except ValueError:
        return None
    return moment._replace(time_from=f"name of the folder, {moment.time_from}") if moment else None


def _first_picture(known: _Known) -> str:
    """Keeps experiments of one name apart: it is written once, at their beginning."""
    first = next((known.pictures[number][0] for number in sorted(known.pictures)), "")
    try:
        return fingerprint(known.item, first).sha256 if first else ""
    except Unreadable:
        return ""


def _status(summary: dict[str, Any], unfinished: Status) -> Status:
    if summary.get("err_msg"):
        return Status.FAILED
    ended = summary.get("terminated") is True or summary.get("truncated") is True
    return Status.COMPLETED if ended else unfinished


def _step(run: ItemRun, known: _Known, number: int) -> Records:
    step = known.steps.get(number, {})
    action = step.get("action")
    data: dict[str, Any] = {"kind": "action" if action else "observation"}
    data |= {k: v for k, v in step.items() if k not in {"action", "goal"}}
    if action:
        data["action"] = _action(action)
    data["thought"] = _thought(step.get("agent_info"))
    told = describe(data["action"]) if action else "an action that only a pickle tells"
    source = next(iter(known.pictures.get(number, [])), f"step_{number}.pkl.gz")
    yield from guarded(source, run.step(number, told, data, printable(source), str(number)))
    for name in known.pictures.get(number, []):
        marked = "_som_" in name
        kind = "annotated" if marked else "before"
        about = {"step": number, "kind": kind, "primary": not marked}
        yield from run.pictures_of(name, about)


def _action(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"type": "action", "arguments": clean_json(value)}
    return {"type": "browsergym", "arguments": str(clean_json(value))}


def _thought(info: Any) -> str:
    think = info.get("think") if isinstance(info, dict) else None
    return think if isinstance(think, str) else ""


def _closing(run: ItemRun, known: _Known) -> Records:
    summary = known.summary
    if known.pickles:
        said = f"{len(known.pickles)} pickled files were not read: loading one runs its code"
        names = {"kind": "unread", "files": list(map(printable, known.pickles[:1000]))}
        yield from run.entry(Level.WARNING, said, names, ".", "pickles")
    if error := summary.get("err_msg"):
        data = {"kind": "error", "error": error, "stack_trace": summary.get("stack_trace")}
        yield from run.entry(
            Level.ERROR, f"the experiment failed: {in_words(error)}", data, SUMMARY, "error"
        )
    if "cum_reward" in summary:
        raw = {"raw": summary["cum_reward"], "cum_raw_reward": summary.get("cum_raw_reward")}
        score = score_of(summary["cum_reward"])
        yield run.verdict("browsergym-reward", score, "cumulative reward", raw, SUMMARY)
