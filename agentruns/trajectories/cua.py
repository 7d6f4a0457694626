"""Trajectories that cua-agent's TrajectorySaverCallback leaves on disk."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from agentruns.models import AnyRecord, Status
from agentruns.trajectories.reader import Problem

TURN = re.compile(r"turn_\d{3,}\Z")


class CuaReader:
    """Reads one folder a run: metadata.json and numbered files in turn folders."""

    name = "cua"

    def recognise(self, path: Path) -> bool:
        """Tell whether the folder holds a run."""
        raise NotImplementedError

    def items(self, folder: Path) -> Iterator[Path]:
        """Every run below the folder."""
        raise NotImplementedError

    def read(
        self,
        item: Path,
        agent_id: str,
        task_id: UUID | None = None,
        *,
        after: int = -1,
        unfinished: Status = Status.INTERRUPTED,
    ) -> Iterator[AnyRecord | Problem]:
        """Everything in the folder, file by file."""
        raise NotImplementedError
