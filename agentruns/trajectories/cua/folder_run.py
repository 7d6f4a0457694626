"""A cua run while it is read from its folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import printable
from agentruns.models import imported_id
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.folder import Folder
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.cua.time import Moment, from_ticks
from agentruns.trajectories.reader import Problem


@dataclass(slots=True, kw_only=True)
class FolderRun(Run):
    """One run on its way from files to records."""

    folder: Path
    listing: Folder
    ended: datetime | None = None
    """When its last file was written, for a run that does not say when it ended."""
    about: dict[str, Any] = field(default_factory=dict)
    """What else its task says of where it comes from."""
    in_metadata: frozenset[str] = frozenset()
    """The calls whose screenshots nothing but the run's metadata holds."""

    def id(self, *source: str) -> UUID:
        """The same record id each time the same source is read into the same task."""
        # A name that is not UTF-8 has no place in an id, but keeps its own one.
        return imported_id("cua", str(self.task_id), *map(_encodable, source))

    def step_of(self, artifact: Artifact) -> int:
        """The step of the call in the artifact's turn, else of the call that follows."""
        return self.listing.steps.get(artifact.turn, self.calls + 1)

    def is_pictured(self, artifact: Artifact) -> bool:
        """Tell whether the turn holds the screenshot as a file, with nothing drawn on it."""
        names = self.listing.pictured.get(artifact.turn, set())
        return bool(names & {"screenshot", "screenshot_after"})

    def step_with(self, call_id: str) -> int | None:
        """The step of a call, where the files of a run are grouped by calls."""
        return self.listing.steps.get(call_group(call_id))

    def at(self, value: Any, path: str) -> Iterator[Problem]:
        """Set the clock to a file's ticks; a file without any happened when the one before did."""
        if time := from_ticks(value):
            self.moment = Moment(time, "file")
            return
        if self.moment.time_from == "file":
            self.moment = Moment(self.moment.time, "file before it")
        if value is not None:
            yield Problem(printable(path), None, "created_at holds no possible time.")


def call_group(call_id: str) -> str:
    """The group of a call and its screenshots where no turn folder tells."""
    return f"call {call_id}"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
