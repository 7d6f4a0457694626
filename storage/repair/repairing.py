"""A repair from its plan to its end, as the operator."""

from functools import cached_property
from pathlib import Path
from uuid import UUID

from agentruns.spool import Spool
from storage.access.installation import Installation
from storage.minio.keeping import ObjectKeeper
from storage.repair.applying import Applying
from storage.repair.models import Repair, Turn
from storage.repair.planning import Planning
from storage.repair.store import RepairStore
from storage.stores import Stores


class Repairing:
    """Plans and does; whatever is cut off in the middle, a repeat ends it."""

    def __init__(self, stores: Stores, spool: Path | None = None) -> None:
        """Name the stores, and the spool in which lost bytes may still lie."""
        self._stores = stores
        self._spool = Spool(spool)

    def open(self, snapshot_id: UUID, agent_id: str | None, *, apply: bool) -> Repair:
        """Begin a repair, or only its plan, from an inventory."""
        Installation(self._stores.settings).compare()
        return self.store.open(snapshot_id, agent_id, apply=apply)

    def plan(self, repair_id: UUID) -> None:
        """Decide about everything; nothing is changed by it."""
        Planning(self.store, self._stores.postgres, self._keeper, self._spool).plan(repair_id)

    def apply(self, repair_id: UUID) -> None:
        """Do all that is planned and not done."""
        self._applying.apply(repair_id)

    def do(self, repair_id: UUID, turn: Turn) -> None:
        """Do one kind of what is planned."""
        self._applying.do(repair_id, turn)

    @cached_property
    def store(self) -> RepairStore:
        """What is planned, and what came of it."""
        return RepairStore(self._stores.postgres)

    @cached_property
    def _keeper(self) -> ObjectKeeper:
        return ObjectKeeper(self._stores.settings)

    @property
    def _applying(self) -> Applying:
        stores = self._stores
        return Applying(self.store, stores.postgres, stores.minio, self._keeper, self._spool)
