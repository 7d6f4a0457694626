"""The live recordings of runs that also lie in a folder: each run is one task.

A live task is the run of a folder when it has the agent, the calls, the screenshots and the times
of it. Then nothing is imported twice: what only the folder has joins the live task. Where the two
differ, they stay two tasks, and that is told.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from agentruns.cleaning import SecretPatterns
from agentruns.models import AnyRecord, StoredFile, Upload
from agentruns.trajectories import Problem
from storage.migration.item_contents import APART, Comparison, Contents, compared
from storage.migration.item_records import read_item
from storage.migration.live_contents import live_contents
from storage.migration.models import Item, Migration
from storage.migration.sighting import Glance, Sighting, glance
from storage.postgres.queries import query
from storage.retries import retried
from storage.stores import Stores

#: Formats whose runs are also recorded while they happen.
RECORDABLE = frozenset({"cua"})
#: A recording of which nothing is heard for so long does not go on.
SILENT_SECONDS = 3600
#: Live tasks that are held in memory, as several items may be parts of one.
MOST_READ = 4
WAITS = "Its live recording still goes on; the next run looks at it again."
DIFFERS = (
    "The live recording {task} tells this run otherwise ({what}), so that they stay two tasks: "
    "compare them, then accept the item by its name."
)


class Candidate(NamedTuple):
    """A live task that may be the run of an item."""

    number: int
    id: UUID
    is_own: bool | None
    """Whether the callback opened it for this run alone."""
    by_step: bool
    is_asked_so: bool
    goes_on: bool
    apart: float
    is_taken: bool
    """It is the recording of another run."""


@dataclass(slots=True)
class Reading:
    """How an item is read: as a task of its own, or beside its live recording."""

    records: Iterator[AnyRecord | Problem]
    sighting: Sighting | None = None
    recorded_as: UUID | None = None
    objects: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 to `bucket/path` of what the live recording brought."""
    compared: list[UUID] = field(default_factory=list)
    waits: str | None = None
    """Why it is not to be read yet."""


@dataclass(slots=True)
class Recorded:
    """An item beside the live recording that it belongs to."""

    comparison: Comparison
    records: Iterator[AnyRecord | Problem]
    """What only the folder has."""
    files: list[StoredFile]
    """The pictures of the folder that the live recording brought."""


class LiveRecordings:
    """Finds the live recordings of a batch of items; what these have is read once for all."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._read: OrderedDict[UUID, Contents] = OrderedDict()

    def readings(
        self, migration: Migration, items: Sequence[Item], patterns: SecretPatterns
    ) -> dict[UUID, Reading]:
        """How each item that may have been recorded is read, by one query for all of them."""
        some = [item for item in items if item.format in RECORDABLE]
        glances = {i.id: glance(read_item(migration, i, patterns)) for i in some}
        # Of the callback's own runs, each is in one folder, however often that was copied.
        taken: dict[UUID, datetime] = {}
        found = {}
        for item, candidates in self._candidates(migration, some, glances):
            looked = glances[item.id]
            began = looked.sighting and looked.sighting.began_at
            free = [one for one in candidates if taken.get(one.id, began) == began]
            free = [one for one in free if not one.is_taken]
            reading = self._reading(migration, item, looked, free, patterns)
            reading.compared = [one.id for one in candidates]
            own = [one.id for one in free if one.is_own and one.id == reading.recorded_as]
            taken |= {id_: began for id_ in own if began}
            found[item.id] = reading
        return found

    def beside(
        self, migration: Migration, item: Item, task_id: UUID, patterns: SecretPatterns
    ) -> Recorded:
        """The item beside the live task that it belongs to."""
        live = self._contents(migration.agent_id, task_id)
        folder = Contents(keep_words=live.is_masked)
        for record in read_item(migration, item, patterns, task_id):
            if not isinstance(record, Problem):
                folder.add(record)
        comparison = compared(folder, live)
        covered = {folder.pictures.get(id_) for id_ in comparison.covered}
        rest = (
            record
            for record in read_item(migration, item, patterns, task_id)
            if isinstance(record, Problem) or _id_of(record) not in comparison.covered
        )
        files = [file for sha256, file in live.files.items() if sha256 in covered]
        return Recorded(comparison, rest, files)

    def _contents(self, agent_id: str, task_id: UUID) -> Contents:
        """What a live task has, read once for all items that stand beside it."""
        if task_id not in self._read:
            self._read[task_id] = live_contents(self._stores, agent_id, task_id)
        self._read.move_to_end(task_id)
        while len(self._read) > MOST_READ:
            self._read.popitem(last=False)
        return self._read[task_id]

    def _candidates(
        self, migration: Migration, items: Sequence[Item], glances: Mapping[UUID, Glance]
    ) -> Iterator[tuple[Item, list[Candidate]]]:
        seen = [(item, s) for item in items if (s := glances[item.id].sighting)]
        found: list[list[Candidate]] = [[] for _ in seen]
        for one in self._live_tasks(migration.agent_id, [s for _, s in seen]) if seen else ():
            found[one.number - 1].append(one)
        yield from ((item, found[n]) for n, (item, _) in enumerate(seen))
        yield from ((item, []) for item in items if not glances[item.id].sighting)

    @retried
    def _live_tasks(self, agent_id: str, seen: Sequence[Sighting]) -> list[Candidate]:
        given = {
            "agent_id": agent_id,
            "began": [one.began_at for one in seen],
            "stepped": [one.stepped_at for one in seen],
            "calls": [one.call_id for one in seen],
            "asked": [one.asked for one in seen],
            "apart": APART.total_seconds(),
            "silent": SILENT_SECONDS,
        }
        with (
            self._stores.postgres.connection() as connection,
            connection.cursor(row_factory=class_row(Candidate)) as cursor,
        ):
            return cursor.execute(query("live_tasks_of_runs"), given).fetchall()

    def _reading(
        self,
        migration: Migration,
        item: Item,
        looked: Glance,
        candidates: Sequence[Candidate],
        patterns: SecretPatterns,
    ) -> Reading:
        """The item beside the first candidate that is its run, else as a task of its own."""
        told: list[Problem] = []
        for one in candidates:
            recorded = self.beside(migration, item, one.id, patterns)
            found = recorded.comparison
            if one.goes_on and not found.differing and (found.agreeing or one.is_asked_so):
                return Reading(iter(()), looked.sighting, waits=WAITS)
            if found.is_same and (found.agreeing or one.is_asked_so):
                objects = {f.sha256: f"{f.bucket.value}/{f.object_path}" for f in recorded.files}
                return Reading(recorded.records, looked.sighting, one.id, objects)
            if found.agreeing or (found.differing and one.is_asked_so):
                said = DIFFERS.format(task=one.id, what=found.in_words)
                told.append(Problem(item.name, None, said))
        return Reading(chain(told, looked.records), looked.sighting)


def _id_of(record: AnyRecord) -> UUID:
    return record.file.id if isinstance(record, Upload) else record.id
