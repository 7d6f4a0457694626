"""A process that copies a migration's items beside others, to be killed."""

import sys
from contextlib import ExitStack, contextmanager
from uuid import UUID

from agentruns.models import new_id
from storage.migration import MigrationStore, claims
from storage.migration.models import START
from storage.migration.places import place_of
from storage.migration.steps import Steps
from storage.stores import shared_stores
from tasks import migration, migration_claims

# So that what a test waits for takes seconds, and many pages are claimed of few runs.
claims.BEAT_SECONDS, claims.SILENT_SECONDS = 0.3, 2.0
migration_claims.MOST_ITEMS = migration.MOST_ITEMS = 1


def tell(word):
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


@contextmanager
def holding(store, found, worker):
    """The run that holds the migration; the others are told its worker."""
    with store.only_run(found.id):
        store.take_inventory(found)
        with migration_claims.leading(found.id, worker):
            Steps(shared_stores().postgres).begin(found.id, "copy")
            yield


def main(source: str, agent_id: str, leader: str = "") -> None:
    """Copy item by item what nobody else copies, telling what is claimed and what is done."""
    store, worker = MigrationStore(shared_stores().postgres), new_id()
    found = store.open(place_of(source).name, agent_id, "UTC", listing=False)
    with ExitStack() as until_done:
        until_done.enter_context(
            migration_claims.helping(found.id, worker, UUID(leader), None)
            if leader
            else holding(store, found, worker)
        )
        tell(f"worker {worker}")
        sys.stdin.readline()
        after, is_over = START, False
        while not is_over:
            page = migration_claims.claim_batches.fn(found.id, worker, after, batches=2, idle=True)
            after, is_over = page.last, page.is_over
            for ids in page.batches:
                tell(f"claimed {ids[0]}")
                migration.copy_items.fn(found.id, worker, ids, verify=True)
                tell(f"done {ids[0]}")
    tell("over")


if __name__ == "__main__":
    main(*sys.argv[1:])
