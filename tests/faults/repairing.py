"""A process that repairs what is an agent's turn by turn, telling each, to be killed."""

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from storage.inventory import InventoryStore, Listing
from storage.repair import TO_APPLY, Repairing
from storage.settings import load_settings
from storage.stores import Stores

WORDS = ("open", "plan", *(turn.name for turn in TO_APPLY), "finish")
#: Nothing may lie there that another test left.
NO_SPOOL = Path("/nowhere")


def tell(word: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def repair(stores: Stores, agent_id: str, tell: Callable[[str], None]) -> None:
    """Repair as the flow does: what was cut off goes on, else all begins with an inventory."""
    repairing = Repairing(stores, NO_SPOOL)
    with repairing.store.only_run():
        tell("open")
        found = repairing.store.cut_off(agent_id)
        if found is None:
            taken = Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
            found = repairing.open(taken.id, agent_id, apply=True)
        tell("plan")
        repairing.plan(found.id)
        for turn in TO_APPLY:
            tell(turn.name)
            repairing.do(found.id, turn)
        tell("finish")
        repairing.store.finish(found.id)
    tell("done")


if __name__ == "__main__":
    with closing(Stores(load_settings())) as opened:
        repair(opened, sys.argv[1], tell)
