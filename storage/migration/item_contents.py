"""What is told of a run, as far as two tellings of it can be compared.

A folder and a live recording tell the same steps in the same words, and name other places for
them. Steps are paired by the call they are about and by their time, pictures by their SHA-256,
log entries by their kind and words.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.cleaning.secret_shapes import REDACTED
from agentruns.models import AgentTask, AnyRecord, LogEntry, ProgressUpdate, StoredFile, Upload

#: A hook is called within moments of the saver that writes the file; a busy disk takes seconds.
APART = timedelta(seconds=5)
#: What only one of the two can know: where a record was read, what the clock was, what was hidden.
_PLACES = {"source", "sha256", "time_from", "redacted"}
#: Its totals count what a run of the user's own took before.
_END = "end"

_Key = tuple[str, str]


class Told(NamedTuple):
    """One step of a run."""

    id: UUID
    number: int | None
    at: datetime
    message: str
    digest: bytes
    words: Any
    """Kept where secrets were taken out of one of the two: their hashes say nothing then."""


@dataclass(slots=True)
class Contents:
    """Everything that is told of a run."""

    keep_words: bool = False
    """Of every step: the other telling has steps without their secrets."""
    is_masked: bool = False
    ids: set[UUID] = field(default_factory=set)
    steps: dict[_Key, list[Told]] = field(default_factory=dict)
    pictures: dict[UUID, str] = field(default_factory=dict)
    """Record to SHA-256."""
    files: dict[str, StoredFile] = field(default_factory=dict)
    """By SHA-256."""
    shown: dict[int, set[str]] = field(default_factory=dict)
    """SHA-256 of the pictures that stand for a step, by its number."""
    said: dict[_Key, list[UUID]] = field(default_factory=dict)

    def add(self, record: AnyRecord | StoredFile) -> None:
        """Take in one record."""
        match record:
            case AgentTask():
                return
            case ProgressUpdate():
                step = _told(record, keep=self.keep_words)
                self.steps.setdefault(_key(record), []).append(step)
                self.is_masked |= step.words is not None
            case Upload():
                self._add_file(record.file)
            case StoredFile():
                self._add_file(record)
            case LogEntry():
                kind = (str(record.data.get("kind")), record.message)
                self.said.setdefault(kind, []).append(record.id)
        self.ids.add(record.file.id if isinstance(record, Upload) else record.id)

    @property
    def actions(self) -> int:
        """How many calls are told."""
        return sum(len(told) for (kind, _), told in self.steps.items() if kind != _END)

    def _add_file(self, file: StoredFile) -> None:
        self.pictures[file.id] = file.sha256
        self.files.setdefault(file.sha256, file)
        step = file.metadata.get("step")
        if file.metadata.get("primary") and isinstance(step, int):
            self.shown.setdefault(step, set()).add(file.sha256)


@dataclass(slots=True)
class Comparison:
    """A folder beside a live recording."""

    actions: int = 0
    """Calls that the folder tells."""
    live_actions: int = 0
    agreeing: int = 0
    """Calls that both tell alike."""
    ended_alike: bool = False
    """Whether both tell the same end, or none."""
    covered: set[UUID] = field(default_factory=set)
    """Records of the folder that the live recording has in its own words."""
    differing: list[str] = field(default_factory=list)
    """Steps that the two tell otherwise, by their numbers."""

    @property
    def in_words(self) -> str:
        """Where they differ."""
        if self.differing:
            return f"in {len(self.differing)} of its steps, first in {self.differing[0]}"
        return f"it has {self.agreeing} of its {self.actions} steps"

    @property
    def is_same(self) -> bool:
        """Whether the two tell of one run; without any call, its end has to tell it."""
        if self.differing:
            return False
        if self.actions:
            return 2 * self.agreeing >= self.actions
        return self.ended_alike and not self.live_actions


def compared(folder: Contents, live: Contents) -> Comparison:
    """What the live recording has of the folder, and where they differ."""
    found = Comparison(folder.actions, live.actions)
    found.ended_alike = _ends(folder) == _ends(live)
    for key, told in folder.steps.items():
        # What has the id of a record of the folder was read from it, by a watch or a migration.
        left = [step for step in live.steps.get(key, ()) if step.id not in folder.ids]
        for step in told:
            if step.id in live.ids:
                found.agreeing += 1
            elif (other := _nearest(step, left)) is not None:
                left.remove(other)
                _pair(found, key[0], (step, folder), (other, live))
    shas = {sha256 for id_, sha256 in live.pictures.items() if id_ not in folder.ids}
    found.covered.update(id_ for id_, sha256 in folder.pictures.items() if sha256 in shas)
    found.covered.update(_said(folder, live))
    return found


def _pair(
    found: Comparison, kind: str, one: tuple[Told, Contents], other: tuple[Told, Contents]
) -> None:
    found.covered.add(one[0].id)
    if kind == _END:
        return
    if not _is_alike(one[0], other[0]):
        found.differing.append(f"step {one[0].number}")
    elif _shows_another(one, other):
        found.differing.append(f"the screenshot of step {one[0].number}")
    else:
        found.agreeing += 1


def _shows_another(one: tuple[Told, Contents], other: tuple[Told, Contents]) -> bool:
    here, there = (contents.shown.get(told.number or -1, set()) for told, contents in (one, other))
    return bool(here and there) and here.isdisjoint(there)


def _ends(contents: Contents) -> list[str]:
    return [step.message for step in contents.steps.get((_END, ""), ())]


def _said(folder: Contents, live: Contents) -> set[UUID]:
    """Log entries of the folder that the live recording has; it may word a kind otherwise."""
    own = {key: [i for i in ids if i not in folder.ids] for key, ids in live.said.items()}
    there = Counter(kind for (kind, _), ids in own.items() for _ in ids)
    here = Counter(kind for (kind, _), ids in folder.said.items() for _ in ids)
    covered: set[UUID] = set()
    for (kind, message), ids in folder.said.items():
        enough = there[kind] >= here[kind]
        covered.update(ids if enough else ids[: len(own.get((kind, message), ()))])
    return covered


def _nearest(step: Told, others: list[Told]) -> Told | None:
    best = min(others, key=lambda other: abs(other.at - step.at), default=None)
    return best if best is not None and abs(best.at - step.at) <= APART else None


def _key(step: ProgressUpdate) -> _Key:
    kind = str(step.data.get("kind"))
    return kind, "" if kind == _END else str(step.data.get("call_id") or step.message)


def _told(step: ProgressUpdate, *, keep: bool) -> Told:
    words = {"message": step.message, "data": _without_places(step.data)}
    text = json.dumps(words, sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    kept = words if keep or REDACTED in text else None
    return Told(step.id, step.step, step.timestamp, step.message, digest, kept)


def _without_places(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name not in _PLACES}
    if isinstance(answer := kept.get("answer"), dict):
        kept["answer"] = {name: value for name, value in answer.items() if name not in _PLACES}
    return kept


def _is_alike(one: Told, other: Told) -> bool:
    if one.digest == other.digest:
        return True
    # The recorder may know secrets that the migration does not.
    return other.words is not None and _fits(one.words, other.words)


def _fits(value: Any, masked: Any) -> bool:
    if isinstance(value, str) and isinstance(masked, str):
        pattern = ".*".join(map(re.escape, masked.split(REDACTED)))
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    if isinstance(value, dict) and isinstance(masked, dict):
        return value.keys() == masked.keys() and all(_fits(value[k], masked[k]) for k in value)
    if isinstance(value, list) and isinstance(masked, list):
        return len(value) == len(masked) and all(map(_fits, value, masked))
    return bool(value == masked)
