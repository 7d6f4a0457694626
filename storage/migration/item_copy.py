"""One item on its way into the stores: its records, what is wrong with it, and its archive."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from uuid import UUID

from agentruns.cleaning import SecretPatterns, printable
from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    StoredFile,
    Upload,
    imported_id,
    object_path,
)
from agentruns.models.kinds import COUNTED_AS
from agentruns.trajectories import Problem
from agentruns.trajectories.file_memory import MEMORY
from storage.migration.archive import CONTENT_TYPE, EXTENSION, Unreadable, packing, sha256_of
from storage.migration.deleted import REASON
from storage.migration.expected import Expected, Wanted
from storage.migration.item_records import read_item
from storage.migration.live_recordings import Reading
from storage.migration.models import Item, ItemFile, Migration
from storage.migration.object_names import fault_of_item, is_unfit
from storage.migration.outcome import FileOutcome, Outcome
from storage.rejection import Rejection

CHANGING = "Its files changed while they were read; the next run reads them again."
NOTHING = "Nothing in it could be imported; its files are in the archive."
VANISHED = "A file of it is gone or may not be read; the next run looks for it again."


@dataclass(slots=True)
class ItemCopy:
    """One item while it is copied."""

    migration: Migration
    item: Item
    files: Sequence[ItemFile]
    folder: Path
    """Where its archive is written."""
    patterns: SecretPatterns
    reading: Reading | None = None
    """As a task of its own where nothing is said."""
    outcome: Outcome = field(init=False)
    objects: dict[str, str] = field(default_factory=dict)
    """SHA-256 to `bucket/path` of the contents that its records bring."""
    expected: Expected = field(default_factory=Expected)
    archive_id: UUID | None = None
    hashes: dict[bytes, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.item)
        if self.reading is not None:
            recorded_as = self.reading.recorded_as
            self.outcome.recorded_as = recorded_as
            self.outcome.task_ids = [recorded_as] if recorded_as else []
            self.outcome.sighting = self.reading.sighting
            self.outcome.compared = self.reading.compared
            self.objects.update(self.reading.objects)

    def records(self) -> Iterator[AnyRecord]:
        """Everything that is to be stored of the item, its archive last."""
        MEMORY.forget()
        if self.outcome.status == "deleted":
            return
        if is_unfit(self.item.path):
            self._set_aside(fault_of_item(self.item.path))
            return
        if self.reading is not None and self.reading.waits:
            self.outcome.reason = self.reading.waits
            return
        if reason := self._other_than_listed():
            self.outcome.reason = reason
            return
        yield from self._read()
        try:
            yield self._archive()
        except Unreadable:
            self.outcome.reason = VANISHED
            return
        if reason := self._other_than_listed():
            self.outcome.reason = reason
        else:
            self._settle()

    def holds(self, id_: UUID) -> bool:
        """Whether the record of this id is one of the item's."""
        return id_ == self.archive_id or id_ in self.expected

    def wanted(self) -> Wanted:
        """What should be in the stores now."""
        outcome = self.outcome
        tasks, archive = outcome.task_ids, outcome.archive_path
        return Wanted(self.item.id, self.item.name, tasks, archive, self.expected)

    def leave_out(self) -> None:
        """Bring nothing of it: its run was deleted for good."""
        self.outcome.status, self.outcome.reason = "deleted", REASON
        self.outcome.files = [
            FileOutcome(file.path, "deleted", REASON, None) for file in self.files
        ]

    def refuse(self, rejections: Sequence[Rejection]) -> None:
        """Note what the stores refused of it."""
        for refused in rejections:
            said = f"The {refused.kind} was refused: {refused.reason}"
            self.outcome.problems.append(Problem(self.item.name, None, said))
            self.counted[COUNTED_AS[refused.kind]] -= 1
        if rejections and self.outcome.status != "pending":
            self._settle()

    def _set_aside(self, reason: str) -> None:
        """Put the item into quarantine without looking into it."""
        self.outcome.status, self.outcome.reason = "quarantined", reason
        self.outcome.files = [
            FileOutcome(file.path, "quarantined", reason, None) for file in self.files
        ]

    def _read(self) -> Iterator[AnyRecord]:
        own = self.reading and self.reading.records
        for found in own or read_item(self.migration, self.item, self.patterns):
            if isinstance(found, Problem):
                self.outcome.problems.append(found)
            else:
                yield self._noted(found)

    def _noted(self, record: AnyRecord) -> AnyRecord:
        if isinstance(record, AgentTask):
            self.outcome.task_ids.append(record.id)
        if isinstance(record, Upload):
            file = record.file
            self.objects[file.sha256] = f"{file.bucket.value}/{file.object_path}"
        self.expected.add(record)
        self.counted[COUNTED_AS[_kind(record)]] += 1
        return record

    def _archive(self) -> Upload:
        target = self.folder / f"{self.item.id}{EXTENSION}"
        source = Path(self.migration.source)
        with packing(target, source, self.objects, self.patterns) as pack:
            for file in self.files:
                pack.add(file)
        self.hashes = pack.hashes
        upload = Upload(file=self._archive_row(target), content=target)
        self.outcome.archive_path = upload.file.object_path
        self.archive_id = upload.file.id
        return upload

    def _archive_row(self, target: Path) -> StoredFile:
        sha256, agent_id = sha256_of(target), self.migration.agent_id
        task_id = next(iter(self.outcome.task_ids), None)
        about = {
            "name": f"{PurePath(self.item.name).name[-200:]}{EXTENSION}",
            "kind": "archive",
            "source": self.item.name,
            "migration_id": str(self.migration.id),
        }
        return StoredFile(
            id=imported_id("archive", str(self.item.id), sha256),
            agent_id=agent_id,
            task_id=task_id,
            bucket=Bucket.BINARIES,
            object_path=object_path(agent_id, task_id, sha256, EXTENSION),
            content_type=CONTENT_TYPE,
            size_bytes=target.stat().st_size,
            sha256=sha256,
            metadata=about,
            # Not now: the same files give the same row, whenever they are copied.
            uploaded_at=_moment(max(file.modified_ns for file in self.files)),
        )

    def _other_than_listed(self) -> str | None:
        """Why the item has to wait, where a file of it is not what the inventory found."""
        source = os.fsencode(self.migration.source)
        other = next((file for file in self.files if not is_as_listed(source, file)), None)
        if other is None:
            return None
        is_there = os.path.lexists(b"%b/%b" % (source, other.path))
        return CHANGING if is_there else VANISHED

    def _settle(self) -> None:
        """Say what became of the item and of each of its files."""
        outcome = self.outcome
        outcome.counts = {name: n for name, n in self.counted.items() if n}
        if self.item.format is None:
            outcome.status = "archived"
        else:
            made = bool(outcome.task_ids and self.counted["tasks"])
            imported = made or outcome.recorded_as is not None
            outcome.status = "imported" if imported else "quarantined"
            outcome.reason = None if imported else _first_reason(outcome.problems)
        troubled = {problem.path: problem.reason for problem in reversed(outcome.problems)}
        outcome.files = [self._file_outcome(file, troubled) for file in self.files]

    def _file_outcome(self, file: ItemFile, troubled: dict[str, str]) -> FileOutcome:
        inside = os.fsdecode(file.path.removeprefix(self.item.path).removeprefix(b"/"))
        reason = troubled.get(printable(inside)) or troubled.get(printable(PurePath(inside).name))
        done = "archived" if self.item.format is None else "imported"
        bad = reason or self.outcome.status == "quarantined"
        status = "quarantined" if bad else done
        return FileOutcome(file.path, status, reason, self.hashes.get(file.path))


def is_as_listed(source: bytes, file: ItemFile) -> bool:
    """Whether a file lies below the source as the inventory found it."""
    try:
        found = os.lstat(b"%b/%b" % (source, file.path))
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (file.size_bytes, file.modified_ns)


def _kind(record: AnyRecord) -> str:
    return "StoredFile" if isinstance(record, Upload) else type(record).__name__


def _moment(nanoseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        # A file's time is whatever somebody set it to.
        return datetime.fromtimestamp(0, UTC)


def _first_reason(problems: Sequence[Problem]) -> str:
    return problems[0].reason if problems else NOTHING
