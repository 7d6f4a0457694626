"""The plan of a repair: each thing that a check would find is looked at, byte by byte."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from agentruns.spool import Spool
from storage.minio.keeping import ObjectKeeper, Place, UnreadableObjectError
from storage.postgres import PostgresAdapter
from storage.repair.actions import left, left_object
from storage.repair.deciding_files import FileDecision
from storage.repair.deciding_objects import decided
from storage.repair.models import Action, FileRow, Turn
from storage.repair.sources import Sources
from storage.repair.store import RepairStore
from storage.writer import in_parallel

#: Objects are read whole, so a page of them is enough to lose when somebody is killed.
_PAGE = 100
_NOWHERE = (
    "Its object is lost: its bytes are in no quarantine, spool or source that can be reached."
)


class Planning:
    """Decides what is to be done; nothing is changed by it."""

    def __init__(
        self, store: RepairStore, postgres: PostgresAdapter, keeper: ObjectKeeper, spool: Spool
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._sources = Sources(postgres, spool)

    def plan(self, repair_id: UUID) -> None:
        """Decide about everything; a plan that was cut off goes on where it stood."""
        repair = self._store.get(repair_id)
        if not repair.collected_at:
            self._store.collect(repair)
        for turn, decide in (
            (Turn.FILES, self._files),
            (Turn.OBJECTS, self._objects),
            (Turn.SEEK, self._sought),
        ):
            self._each_page(repair_id, turn, partial(decide, repair_id))
        self._store.note_planned(repair_id)

    def _each_page(
        self, repair_id: UUID, turn: Turn, decide: Callable[[Sequence[Action]], list[Action]]
    ) -> None:
        while page := self._store.to_do(repair_id, turn, _PAGE):
            self._store.decide(repair_id, page, decide(page))

    def _files(self, _: UUID, page: Sequence[Action]) -> list[Action]:
        rows = self._store.files([action.id for action in page])
        known = [action for action in page if action.id in rows]
        found = in_parallel(lambda action: self._file(rows[action.id], action), known)
        return [action for actions in found for action in actions]

    def _file(self, row: FileRow, action: Action) -> list[Action]:
        try:
            return FileDecision(row, _elsewhere(action), self._keeper).actions()
        except UnreadableObjectError as error:
            return [left(row, str(error))]

    def _objects(self, repair_id: UUID, page: Sequence[Action]) -> list[Action]:
        found = in_parallel(partial(self._object, repair_id), page)
        return [action for actions in found for action in actions]

    def _object(self, repair_id: UUID, action: Action) -> list[Action]:
        facts = self._store.facts(repair_id, action)
        try:
            return decided(action.place, self._keeper.look(action.place), facts)
        except UnreadableObjectError as error:
            return [left_object(action.place, str(error))]

    def _sought(self, repair_id: UUID, page: Sequence[Action]) -> list[Action]:
        found = self._sources.found(repair_id, page)
        then = (_after_seeking(action, found.get(action.id)) for action in page)
        return [action for action in then if action]


def _elsewhere(action: Action) -> Place | None:
    told = action.details.get("elsewhere")
    return Place(*told.split("/", 1)) if told else None


def _after_seeking(action: Action, where: dict[str, Any] | None) -> Action | None:
    if where:
        reason = f"{action.reason} Its bytes are in the {where['kind']}."
        return _turned(action, Turn.RESTORE, "restore", reason, {"from": where})
    # It says so already.
    if action.details["lost"]:
        return None
    return _turned(action, Turn.MISSING, "mark missing", _NOWHERE, {})


def _turned(action: Action, turn: Turn, kind: Any, reason: str, more: dict[str, Any]) -> Action:
    return replace(action, turn=turn, kind=kind, reason=reason, details={**action.details, **more})
