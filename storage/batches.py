"""Cutting a stream of records into pieces that fit into memory, sorted by where they go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Evaluation,
    LogEntry,
    Memory,
    ProgressUpdate,
    Upload,
)

#: The sweet spot of both databases, measured; the bytes bound what pictures may take.
MOST_RECORDS = 1000
MOST_BYTES = 32 * 2**20


@dataclass(slots=True)
class Batch:
    """Some records, sorted by kind; each kind in the order in which its author made them."""

    tasks: list[AgentTask] = field(default_factory=list)
    progress: list[ProgressUpdate] = field(default_factory=list)
    logs: list[LogEntry] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    def add(self, record: AnyRecord) -> int:
        """Sort one record in, and say how many bytes it brings along."""
        match record:
            case LogEntry():
                self.logs.append(record)
            case ProgressUpdate():
                self.progress.append(record)
            case Upload():
                self.uploads.append(record)
                return len(record.content) if isinstance(record.content, bytes) else 0
            case AgentTask():
                self.tasks.append(record)
            case Memory():
                self.memories.append(record)
            case Evaluation():
                self.evaluations.append(record)
            case _:
                assert_never(record)
        return 0


def batches(records: Iterable[AnyRecord]) -> Iterator[Batch]:
    """The records in batches, none larger than what a store takes well."""
    batch, count, size = Batch(), 0, 0
    for record in records:
        size += batch.add(record)
        count += 1
        if count >= MOST_RECORDS or size >= MOST_BYTES:
            yield batch
            batch, count, size = Batch(), 0, 0
    if count:
        yield batch
