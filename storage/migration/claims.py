"""The items of a migration shared among workers: one of them copies an item at a time.

A worker is one process; it holds what it claimed for as long as it gives signs of life.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, NamedTuple
from uuid import UUID

from storage.errors import MigrationRunning, StorageError
from storage.migration.live_recordings import WAITS
from storage.migration.models import ItemKey
from storage.postgres import PostgresAdapter
from storage.postgres.holding import holding
from storage.postgres.queries import query
from storage.retries import retried

#: Seconds from one sign of life to the next, and without any until others take the items over.
BEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0
_DELETED = "What this migration brings is being deleted."


class Room(NamedTuple):
    """How much a worker takes at once; an item that begins in it is taken whole."""

    items: int
    files: int
    size_bytes: int


class Claims:
    """What one worker copies of a migration."""

    def __init__(self, postgres: PostgresAdapter, migration_id: UUID, worker: UUID) -> None:
        self.worker = worker
        self._postgres = postgres
        self._about = {"migration_id": migration_id, "worker": worker, "silent": SILENT_SECONDS}

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Work as the run that holds the migration; whoever held it before holds nothing now.

        Raises:
            MigrationRunning: when another run holds it by the end, as after a restart of the
                database; what is left is theirs.
        """
        self._run("forget_workers")
        with self._at_work(helps=None, flow_run_id=None):
            yield
            if not self.is_wanted():
                raise MigrationRunning(
                    "Another run holds this migration by now, and does what is left."
                )

    @contextmanager
    def helping(self, leader: UUID, flow_run_id: UUID | None) -> Iterator[None]:
        """Work beside the run that holds the migration.

        Raises:
            MigrationRunning: when somebody deletes what the migration brings.
        """
        refusal, id_ = MigrationRunning(_DELETED), self._about["migration_id"]
        with (
            holding(self._postgres, "may_help", refusal, id=id_),
            self._at_work(helps=leader, flow_run_id=flow_run_id),
        ):
            yield

    @retried
    def is_wanted(self) -> bool:
        """Give a sign of life; whether there is still a run that this worker is part of."""
        return self._run("see_worker") > 0

    @retried
    def claim(self, after: ItemKey, room: Room) -> Sequence[tuple[ItemKey, int, int]]:
        """The next items for this worker, each with its files and bytes."""
        place = {"after_path": after.path, "after_id": after.id, "rows": room.items}
        given = self._about | place | {"files": room.files, "size_bytes": room.size_bytes}
        with self._postgres.connection() as connection:
            found = connection.execute(query("claim_items"), given).fetchall()
        return [(ItemKey(path, id_), files, size) for id_, path, files, size in found]

    @retried
    def release(self, ids: Sequence[UUID]) -> None:
        """This worker is through with these items; what still waits of them was tried."""
        self._run("release_items", ids=list(ids))

    @retried
    def free(self) -> None:
        """Let go of what was claimed without an answer, as nothing of it is at work."""
        self._run("free_items")

    @retried
    def is_anything_left(self) -> bool:
        """Whether an item waits that was not tried yet, or that somebody copies right now."""
        return self._is("is_anything_left")

    @retried
    def is_anything_postponed(self) -> bool:
        """Whether an item waits that changed while one of the workers read it."""
        return self._is("is_anything_postponed", reason=WAITS)

    @retried
    def forget_runs(self, flow_run_ids: Sequence[UUID]) -> None:
        """These runs of Prefect, which helped this worker, are over, however they ended."""
        self._run("forget_runs", flow_run_ids=list(flow_run_ids))

    @contextmanager
    def _at_work(self, **about: UUID | None) -> Iterator[None]:
        self._join(about)
        over = Event()
        beating = Thread(target=self._beat, args=(over,), daemon=True, name="migration-worker")
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()
            # A store that is away is told by whoever needs it; the silence says the same later.
            with suppress(StorageError):
                self._run("leave_migration")

    @retried
    def _join(self, about: dict[str, UUID | None]) -> None:
        self._run("join_migration", **about)

    def _beat(self, over: Event) -> None:
        while not over.wait(BEAT_SECONDS):
            with suppress(StorageError):
                self.is_wanted()

    def _is(self, name: str, **more: Any) -> bool:
        with self._postgres.connection() as connection:
            return bool(connection.execute(query(name), self._about | more).fetchall()[0][0])

    def _run(self, name: str, **more: Any) -> int:
        with self._postgres.connection() as connection:
            return connection.execute(query(name), self._about | more).rowcount
