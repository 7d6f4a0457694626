"""The steps of delivering spools that were left behind; each answers in any case."""

import os
from collections.abc import Iterator
from pathlib import Path

from prefect.logging import get_run_logger
from pydantic import Field

from agentruns.home import home
from agentruns.models.values import Record
from agentruns.spool import Spool, SpoolError
from storage.delivery import Delivery, DeliveryResult
from storage.errors import DeliveryRunning, StorageError
from tasks.retries import single_task

#: Deeper lie the data of servers, by the 100,000; spools lie near the top.
MOST_LEVELS = 3


class SpoolResult(Record):
    """What came of one spool."""

    folder: str
    delivered: dict[str, int] = Field(default_factory=dict)
    """Events that are in the stores now, by kind."""
    pending: int = 0
    """Events that wait on, as a store is away."""
    rejected: int = 0
    """Events that a store refused for good."""
    remark: str = ""
    """Why nothing was delivered."""


@single_task
def find_spools(folder: str | None) -> list[str]:
    """Every spool at most three folders below this one, by default the home of agentruns."""
    root = Path(folder).expanduser().absolute() if folder else home()
    return [str(found) for found in _spools(root, MOST_LEVELS)]


@single_task
def drain_spool(folder: str) -> SpoolResult:
    """Deliver what is in a spool, unless another delivery does."""
    try:
        drained = Delivery(Spool(folder)).drain()
    except DeliveryRunning:
        return SpoolResult(folder=folder, remark="another delivery is at work")
    except (SpoolError, StorageError) as error:
        get_run_logger().warning("%s", error)
        return SpoolResult(folder=folder, remark=str(error))
    return _result(folder, drained)


def _spools(folder: Path, levels: int) -> Iterator[Path]:
    if Spool(folder).is_there():
        yield folder
    elif levels:
        for below in _folders(folder):
            yield from _spools(below, levels - 1)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(one) for one in entries if one.is_dir(follow_symlinks=False))
    except OSError:
        # Not there, or not ours to look into.
        return []


def _result(folder: str, drained: DeliveryResult) -> SpoolResult:
    return SpoolResult(
        folder=folder,
        delivered=drained.delivered,
        pending=drained.pending,
        rejected=drained.rejected,
    )
