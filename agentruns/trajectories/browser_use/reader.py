"""Histories that browser-use agents saved."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, printable
from agentruns.models import Status, imported_id
from agentruns.trajectories.browser_use.steps import (
    moment_of,
    picture_name,
    picture_path,
    results_of,
    step_records,
)
from agentruns.trajectories.files import Unreadable, read_pieces
from agentruns.trajectories.item_run import (
    Beginning,
    ItemRun,
    digest_of,
    guarded,
    last_change,
)
from agentruns.trajectories.json_head import head_of, keys_of
from agentruns.trajectories.json_parts import Part, parts_of
from agentruns.trajectories.listing import file_items
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment
from agentruns.trajectories.values import as_object, as_text

HISTORY = "history"
#: How the agent's prompt quotes its task; the history has no better place for it.
REQUEST = re.compile(r"<user_request>\s*(.{1,20000}?)\s*</user_request>", re.DOTALL)


class BrowserUseReader:
    """Reads one JSON file a run, and the pictures beside it."""

    name = "browser-use"

    def recognise(self, path: Path) -> bool:
        """Tell whether the file begins with a history whose first step has a model's output."""
        first = head_of(path).firsts.get(HISTORY)
        return bool(first) and "model_output" in keys_of(first or b"")

    def items(self, folder: Path) -> Iterator[Path]:
        """Every history in the folder, in order of paths; no link is followed."""
        return file_items(folder, self.recognise)

    def files(self, item: Path) -> Iterator[Path]:
        """The history, and the pictures beside it that its steps refer to."""
        yield item
        told = set()
        with suppress(Unreadable):
            for step in _steps(item):
                found = picture_path(item.parent, picture_name(step))
                if found and found not in told:
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
        seen = _look_through(item)
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
        path = printable(item.name)
        yield from guarded(path, run.opening(beginning, is_known=task_id is not None))
        yield from guarded(path, _parts(run, item, path, after))
        run.at(beginning.ended)
        yield from guarded(path, _judgement(run, seen.result, path))


@dataclass(slots=True)
class _Seen:
    """What one look through the history tells."""

    digest: str = ""
    asked: str = ""
    began: Moment | None = None
    ended: Moment | None = None
    steps: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    """The last that any action gave back."""


def _steps(item: Path) -> Iterator[dict[str, Any]]:
    for part in parts_of(read_pieces(item.parent, item.name)):
        if part.key == HISTORY and part.place is not None:
            with suppress(Unreadable):
                yield as_object(part.value())


def _look_through(item: Path) -> _Seen:
    seen = _Seen()
    with suppress(Unreadable):
        for step in _steps(item):
            seen.steps += 1
            seen.digest = seen.digest or digest_of(step)
            began, ended = moment_of(step, "step_start_time"), moment_of(step, "step_end_time")
            seen.began, seen.ended = seen.began or began or ended, ended or began or seen.ended
            seen.result = next(reversed(results_of(step)), seen.result)
            if not seen.asked and (found := REQUEST.search(as_text(step.get("state_message")))):
                seen.asked = found[1]
    return seen


def _beginning(item: Path, seen: _Seen, unfinished: Status) -> Beginning:
    changed, name = last_change(item), printable(item.name)[:300]
    return Beginning(
        ref=name,
        digest=seen.digest,
        title=seen.asked or f"browser-use run {name}",
        asked=seen.asked,
        status=_status(seen.result, unfinished),
        began=seen.began or changed,
        ended=seen.ended or changed,
        about={"steps": seen.steps, "success": seen.result.get("success")},
    )


def _status(result: dict[str, Any], unfinished: Status) -> Status:
    if result.get("is_done") is True:
        return Status.FAILED if result.get("success") is False else Status.COMPLETED
    return Status.FAILED if result.get("error") else unfinished


def _parts(run: ItemRun, item: Path, path: str, after: int) -> Records:
    for part in parts_of(read_pieces(item.parent, item.name)):
        if part.key == HISTORY and part.place is not None:
            if part.place > after:
                yield from guarded(path, step_records(run, path, part), part.offset)
        else:
            yield from guarded(path, _other(part, path), part.offset)


def _other(part: Part, path: str) -> Records:
    if part.key == HISTORY:
        yield Problem(path, part.offset, "The history is not a list.")
    elif part.key != "usage":
        yield Problem(path, part.offset, "A value that the format does not have; it was left out.")


def _judgement(run: ItemRun, result: dict[str, Any], path: str) -> Records:
    judgement = as_object(result.get("judgement"))
    if judgement:
        verdict = judgement.get("verdict")
        score = float(verdict) if isinstance(verdict, bool) else None
        words = (judgement.get("reasoning"), judgement.get("failure_reason"))
        report = "\n".join(word for word in words if isinstance(word, str) and word)
        yield run.verdict("browser-use-judge", score, report, {"raw": judgement}, path)
