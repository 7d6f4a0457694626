"""How workers share a migration: each asks for batches of its own until none is left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from storage.migration import MigrationStore
from storage.migration.claims import Claims, Room
from storage.migration.models import START, ItemKey
from storage.migration.seeing import check_source
from storage.stores import shared_stores
from tasks.migration import MOST_BYTES, MOST_FILES, MOST_ITEMS, cut
from tasks.retries import store_task

#: So long a worker waits at a time for items that others may leave to it, and from look to look.
_WAIT_SECONDS = 3.0
_LOOK_SECONDS = 0.2


class Page(NamedTuple):
    """The next batches of a worker, and the last item in them."""

    batches: list[list[UUID]]
    last: ItemKey
    is_over: bool
    """Whether no item is left for anybody."""


@contextmanager
def leading(migration_id: UUID, worker: UUID) -> Iterator[None]:
    """Be the worker of the run that holds a migration while this lasts."""
    with _claims(migration_id, worker).leading():
        yield


@contextmanager
def helping(
    migration_id: UUID, worker: UUID, leader: UUID, flow_run_id: UUID | None
) -> Iterator[None]:
    """Be a worker beside that one while this lasts."""
    with _claims(migration_id, worker).helping(leader, flow_run_id):
        yield


@store_task
def check_that_source_is_here(migration_id: UUID) -> None:
    """Refuse to work where the source is another one, or none."""
    store = MigrationStore(shared_stores().postgres)
    check_source(store, store.get(migration_id))


@store_task
def is_anything_to_copy(migration_id: UUID, worker: UUID) -> bool:
    """Whether an item waits."""
    return _claims(migration_id, worker).is_anything_left()


@store_task
def is_anything_postponed(migration_id: UUID, worker: UUID) -> bool:
    """Whether an item changed while one of the workers read it."""
    return _claims(migration_id, worker).is_anything_postponed()


@store_task
def claim_batches(
    migration_id: UUID, worker: UUID, after: ItemKey, *, batches: int, idle: bool
) -> Page:
    """The next batches that nobody else copies, about a second of work each.

    Without any, it waits a while for what others may leave behind.

    Args:
        migration_id: Which migration.
        worker: Who asks.
        after: The last item that it was given.
        batches: About so many.
        idle: Whether it copies nothing right now.
    """
    claims, until = _claims(migration_id, worker), time.monotonic() + _WAIT_SECONDS
    room = Room(batches * MOST_ITEMS, batches * MOST_FILES, batches * MOST_BYTES)
    if not claims.is_wanted():
        return Page([], after, is_over=True)
    while True:
        # What dead workers leave lies behind.
        found = claims.claim(after, room) or claims.claim(START, room)
        if found:
            return Page(cut(found), found[-1][0], is_over=False)
        if not claims.is_anything_left():
            return Page([], after, is_over=True)
        if idle:
            claims.free()
        if time.monotonic() > until:
            return Page([], after, is_over=False)
        time.sleep(_LOOK_SECONDS)


def _claims(migration_id: UUID, worker: UUID) -> Claims:
    return Claims(shared_stores().postgres, migration_id, worker)
