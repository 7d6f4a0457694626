"""Runs that cua-agent's TrajectorySaverCallback leaves on disk."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path
from uuid import UUID

from agentruns.cleaning import SecretPatterns
from agentruns.models import Status
from agentruns.trajectories.cua.beginning import begin, load_metadata
from agentruns.trajectories.cua.folder import ARTIFACT, METADATA, TURN, list_folder
from agentruns.trajectories.cua.reading import read_run
from agentruns.trajectories.finding import items_of, names_in
from agentruns.trajectories.reader import Records
from agentruns.trajectories.walking import walk


class CuaReader:
    """Reads one folder a run: metadata.json, and numbered files in turn folders."""

    name = "cua"

    def recognise(self, path: Path) -> bool:
        """Tell whether the folder holds a run: a turn folder, or metadata that names a run."""
        # Other formats have turn folders too, but no numbered files in them.
        turns = (path / name for name in names_in(path) if TURN.match(name))
        if any(map(ARTIFACT.match, chain.from_iterable(map(names_in, turns)))):
            return True
        return METADATA in names_in(path) and bool(
            load_metadata(path).document.get("trajectory_id")
        )

    def items(self, folder: Path) -> Iterator[Path]:
        """Every run in the folder, itself included, in order of paths; no link is followed."""
        return items_of(self, folder)

    def files(self, item: Path) -> Iterator[Path]:
        """Everything below the folder."""
        return walk(item)

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
        """Everything in the folder, file by file, so that memory stays flat."""
        listing = list_folder(item)
        metadata = load_metadata(item)
        yield from listing.problems
        yield from metadata.problems
        run = begin(item, agent_id, task_id, listing, metadata.document)
        run.patterns = patterns or run.patterns
        yield from read_run(run, metadata, unfinished, is_known=task_id is not None, after=after)
