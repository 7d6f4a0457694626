"""A run while it is read from the files of a tool that is not ours."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from agentruns.cleaning import Picture, clean_json, clip_text, picture_fault, printable
from agentruns.models import (
    AgentTask,
    AnyRecord,
    Evaluation,
    Level,
    Memory,
    ProgressUpdate,
    Status,
    Upload,
    imported_id,
)
from agentruns.trajectories.files import Unreadable, read_content
from agentruns.trajectories.fitting import Document
from agentruns.trajectories.foreign_run import ForeignRun
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import EARLIEST, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is known of a run before its first step is read."""

    ref: str
    """The run's name in the tool that wrote it."""
    digest: str
    """Keeps runs of one name apart: it tells where each began."""
    title: str
    asked: str = ""
    status: Status
    began: Moment
    ended: Moment
    about: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class ItemRun(ForeignRun):
    """One item on its way from files to records."""

    format: str
    folder: Path
    """What paths in problems and records are relative to."""
    timezone: tzinfo

    def id(self, *source: str) -> UUID:
        """The same record id each time the same source is read into the same task."""
        return imported_id(self.format, str(self.task_id), *source)

    def at(self, moment: Moment | None) -> None:
        """Set the clock; what has no time of its own happened when what was before it did."""
        if moment is not None:
            self.moment = moment
        elif self.moment.time_from.startswith("file"):
            self.moment = Moment(self.moment.time, "what came before it")

    def opening(self, beginning: Beginning, *, is_known: bool) -> Iterator[AnyRecord]:
        """The task, or a note for one that somebody else made."""
        source = {"format": self.format, "item": beginning.ref}
        about = {"source_ref": f"{self.format}:{beginning.ref}", "source": source}
        about |= {"time_from": beginning.began.time_from, **beginning.about}
        kept = self.storable(about)
        if is_known:
            said = f"read from {self.format}: {beginning.status}"
            yield self.log(Level.INFO, said, kept, "note", beginning.digest, beginning.status)
        else:
            yield self._task(beginning, kept.data)
        yield from self.inline_uploads(".", kept.pictures, {"kind": "message", "primary": False})

    def _task(self, beginning: Beginning, about: dict[str, Any]) -> AgentTask:
        asked = self.plain(beginning.asked).strip()
        title = self.plain(beginning.title).strip().split("\n", maxsplit=1)[0]
        began, ended = beginning.began.time, beginning.ended.time
        began, going_on = min(began, ended), beginning.status is Status.IN_PROGRESS
        return AgentTask(
            id=self.task_id,
            agent_id=self.agent_id,
            title=clip_text(title, 200) or f"{self.format} run",
            description=asked or None,
            status=beginning.status,
            status_at=began if going_on else ended,
            metadata=about,
            created_at=began,
            started_at=began,
            finished_at=None if going_on else ended,
        )

    def step(
        self, number: int | None, said: str, data: dict[str, Any], path: str, *source: str
    ) -> Iterator[AnyRecord]:
        """One step in words, and the pictures that were inside its data."""
        kept = self.storable({**data, **self.origin(path)})
        yield ProgressUpdate(
            id=self.id("step", path, *source),
            task_id=self.task_id,
            agent_id=self.agent_id,
            step=number,
            message=self.plain(said),
            data=kept.data,
            timestamp=self.moment.time,
        )
        about = {"step": number, "kind": "other", "primary": False, "of": "/".join(source)[:300]}
        yield from self.inline_uploads(path, self._unseen(kept), about)

    def entry(
        self, level: Level, said: str, data: dict[str, Any], path: str, *source: str
    ) -> Iterator[AnyRecord]:
        """One log entry, and the pictures that were inside its data."""
        kept = self.storable({**data, **self.origin(path)})
        yield self.log(level, said, kept, path, *source)
        about = {"kind": "message", "primary": False, "of": "/".join(source)[:300]}
        yield from self.inline_uploads(path, self._unseen(kept), about)

    def _unseen(self, document: Document) -> list[Picture]:
        """The pictures that were not told before: some tools repeat all messages in each step."""
        return [p for p in document.pictures if bytes.fromhex(p.sha256) not in self.pictures]

    def remember(self, content: str, data: dict[str, Any], path: str, *source: str) -> Memory:
        """What the agent wants to know later."""
        return Memory(
            id=self.id("memory", path, *source),
            agent_id=self.agent_id,
            task_id=self.task_id,
            memory_type="long_term",
            content=self.plain(content),
            data=self.storable({**data, **self.origin(path)}).data,
            created_at=self.moment.time,
        )

    def verdict(
        self, scorer: str, score: float | None, report: str, raw: dict[str, Any], path: str
    ) -> Evaluation:
        """What the tool itself thought of the run."""
        digest = digest_of([scorer, score, raw])
        return Evaluation(
            id=self.id("evaluation", scorer, digest),
            task_id=self.task_id,
            agent_id=self.agent_id,
            scorer=f"imported:{scorer}",
            scorer_version="1",
            score=score,
            report=self.plain(report),
            metrics=self.storable({**raw, **self.origin(path)}).data,
            evidence_digest=digest,
            created_at=self.moment.time,
        )

    def picture(self, path: str, about: dict[str, Any]) -> Upload:
        """A picture file; raises `Unreadable` when it is none."""
        content = read_content(self.folder, path).data
        if fault := picture_fault(content):
            raise Unreadable(fault, len(content))
        name = printable(path.rpartition("/")[2])[-300:]
        return self.upload(printable(path), content, {**about, "name": name})

    def pictures_of(self, path: str, about: dict[str, Any]) -> Records:
        """The picture, or why there is none."""
        return guarded(path, (self.picture(path, about) for _ in "1"))


def guarded(path: str, records: Records, offset: int | None = None) -> Records:
    """The records, then the reason why there are no more where reading them fails."""
    try:
        yield from records
    except Unreadable as fault:
        where = offset if fault.offset is None else fault.offset
        yield Problem(printable(path), where, fault.reason)
    except RecursionError:
        yield Problem(printable(path), offset, "The JSON is nested too deeply to be read.")
    except ValidationError:
        yield Problem(printable(path), offset, "Its content does not fit any record.")


def last_change(path: Path) -> Moment:
    """When the path was changed last, for what does not say when it happened."""
    try:
        changed = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        changed = EARLIEST
    return Moment(changed, "last change of the file")


def digest_of(value: Any) -> str:
    """Equal JSON, equal digest."""
    text = json.dumps(clean_json(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def score_of(value: Any) -> float | None:
    """The value as a score of 0 to 1, or None where it is none."""
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= 1 else None


def ordinal(value: Any) -> int | None:
    """The value as the number of a step, or None where it is none."""
    return value if type(value) is int and 0 <= value < 2**31 else None
