"""A repair from its plan to its end, as the operator."""

from functools import cached_property
from pathlib import Path
from uuid import UUID

from agentruns.spool import Spool
from storage.access.installation import Installation
from storage.errors import TooMuchAside
from storage.inventory import InventoryStore
from storage.minio.keeping import ObjectKeeper
from storage.repair.applying import Applying
from storage.repair.models import Repair, Turn
from storage.repair.planning import Planning
from storage.repair.store import RepairStore
from storage.stores import Stores

#: So many objects may be taken aside, or this share of all, before somebody has to say so.
FEW, SHARE = 100, 0.1


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

    def refuse_much(self, repair_id: UUID) -> None:
        """Let nobody take a large part of the objects aside, as beside a database of others.

        Raises:
            TooMuchAside: when a plan does; the message says what to do.
        """
        planned = self.store.counts(repair_id).get("quarantine", {}).get("planned", 0)
        if planned <= FEW:
            return
        snapshot_id = self.store.get(repair_id).snapshot_id
        objects = InventoryStore(self._stores.postgres).get(snapshot_id).objects
        if planned > objects * SHARE:
            raise TooMuchAside(
                f"The plan takes {planned} of {objects} objects aside: see whether this database "
                "belongs to this object store. If it is right all the same, say --many."
            )

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
