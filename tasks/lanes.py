"""Where the batches of one process are worked off, several at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from agentruns.models import new_id
from storage.arguments import checked_workers
from storage.pace import checked_mb_per_s
from tasks.migration_pages import ShownProgress

R = TypeVar("R")

#: Batches at a time; each of them puts eight objects at a time.
WORKERS = 2


class Lanes(NamedTuple):
    """The lanes of one process, and how quick they may be together."""

    migration_id: UUID
    worker: UUID
    """Who this process is to the others that work on the migration."""
    size: int
    """As many batches are done at a time."""
    max_mb_per_s: float | None
    runner: ThreadPoolTaskRunner[Any]
    progress: ShownProgress

    def begin(self, task: Task[..., R], **parameters: Any) -> PrefectFuture[R]:
        """Have a batch done as soon as a lane is free."""
        told = {"migration_id": self.migration_id, "max_mb_per_s": self.max_mb_per_s}
        return self.runner.submit(task, told | parameters)

    def done(self, future: PrefectFuture[R]) -> R:
        """What came of a batch, once it is done."""
        found = future.result()
        self.progress.tell()
        return found


@contextmanager
def opened_lanes(migration_id: UUID, size: int, max_mb_per_s: float | None) -> Iterator[Lanes]:
    """Lanes for one migration, and its progress on the page of this run."""
    progress = ShownProgress(migration_id)
    with ThreadPoolTaskRunner[Any](max_workers=size) as runner:
        yield Lanes(migration_id, new_id(), size, max_mb_per_s, runner, progress)
    progress.end()


def checked_means(workers: int, max_mb_per_s: float | None) -> tuple[int, float | None]:
    """How many lanes there are, and their limit.

    Raises:
        ValueError: when nothing would be done, or nothing be limited.
    """
    limit = None if max_mb_per_s is None else checked_mb_per_s(max_mb_per_s)
    return checked_workers(workers), limit
