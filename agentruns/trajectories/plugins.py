"""Formats that other packages teach us, by an entry point each."""

import logging
from collections.abc import Iterator
from datetime import UTC, tzinfo
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from uuid import UUID

from agentruns.cleaning import SecretPatterns
from agentruns.models import Status
from agentruns.trajectories.reader import Problem, Records, TrajectoryReader

GROUP = "agentruns.trajectory_readers"
METHODS = ("recognise", "items", "files", "read")

logger = logging.getLogger(__name__)


@cache
def plugged_in() -> tuple[TrajectoryReader, ...]:
    """The readers of other packages, in order of their names; one that is broken is told once."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return tuple(reader for point in points if (reader := _loaded(point)))


@cache
def plugged_in_versions() -> tuple[str, ...]:
    """The packages that teach us formats, each with its version."""
    packages = {point.dist for point in entry_points(group=GROUP) if point.dist}
    return tuple(sorted(f"{package.name}-{package.version}" for package in packages))


def _loaded(point: EntryPoint) -> TrajectoryReader | None:
    try:
        found = point.load()
        reader = found() if isinstance(found, type) else found
        lacking = [name for name in METHODS if not callable(getattr(reader, name, None))]
    except Exception as error:
        _tell_left_out(point, f"loading it failed with {type(error).__name__}")
        return None
    if lacking or not isinstance(getattr(reader, "name", None), str):
        _tell_left_out(point, f"it has no {' or '.join(lacking) or 'name'}")
        return None
    return PluggedInReader(reader)


def _tell_left_out(point: EntryPoint, reason: str) -> None:
    logger.warning("The reader %s (%s) is left out: %s.", point.name, point.value, reason)


class PluggedInReader:
    """Another package's reader, whose failures cost its own items and nothing else."""

    def __init__(self, reader: TrajectoryReader) -> None:
        self._reader = reader
        self.name = reader.name

    def recognise(self, path: Path) -> bool:
        """Whether it recognises the path; a failure is told, and is no."""
        try:
            return bool(self._reader.recognise(path))
        except Exception as error:
            self._tell("recognise", error)
            return False

    def items(self, folder: Path) -> Iterator[Path]:
        """Its items up to where it fails, if it does, which is told."""
        try:
            yield from self._reader.items(folder)
        except Exception as error:
            self._tell("items", error)

    def files(self, item: Path) -> Iterator[Path]:
        """The files up to where it fails, if it does, which is told."""
        try:
            yield from self._reader.files(item)
        except Exception as error:
            self._tell("files", error)

    def read(  # noqa: PLR0913 - options by name, each with its default
        self,
        item: Path,
        agent_id: str,
        task_id: UUID | None = None,
        *,
        after: int = -1,
        unfinished: Status = Status.INTERRUPTED,
        patterns: SecretPatterns | None = None,
        timezone: tzinfo = UTC,
    ) -> Records:
        """What it reads, up to where it fails, if it does, which is a problem of the item."""
        try:
            yield from self._reader.read(
                item,
                agent_id,
                task_id,
                after=after,
                unfinished=unfinished,
                patterns=patterns,
                timezone=timezone,
            )
        except Exception as error:
            yield Problem(".", None, self._failure("read", error))

    def _tell(self, method: str, error: Exception) -> None:
        logger.warning("%s", self._failure(method, error))

    def _failure(self, method: str, error: Exception) -> str:
        # The error's text may hold what the file holds.
        return f"The reader {self.name} failed with {type(error).__name__} in {method}()."
