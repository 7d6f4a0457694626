"""Folders in which an organiser script has sorted the files of cua runs by kind."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID

from agentruns.cleaning import SecretPatterns, clean_text, picture_fault, printable
from agentruns.models import Status, imported_id
from agentruns.trajectories.cua.beginning import Metadata, load_metadata
from agentruns.trajectories.cua.folder import Folder
from agentruns.trajectories.cua.folder_run import FolderRun
from agentruns.trajectories.cua.reading import read_run
from agentruns.trajectories.cua.time import from_folder, from_ticks
from agentruns.trajectories.files import Unreadable, read_content
from agentruns.trajectories.finding import items_of
from agentruns.trajectories.organized.facts import Index, index_folder
from agentruns.trajectories.organized.grouping import LAST, RebuiltRun, rebuild
from agentruns.trajectories.organized.names import is_organised, own_files
from agentruns.trajectories.organized.placing import calls_in_metadata, listing_of, place_pictures
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.times import Moment

UNKNOWN = Metadata({}, "", [])


class OrganizedReader:
    """Reads a folder of files of several runs, one task after the other.

    Two passes: the first keeps some hundred bytes of each file, the second goes run by run.
    """

    name = "organized_traj"

    def recognise(self, path: Path) -> bool:
        """Tell by names whether files lie here as an organiser leaves them."""
        return is_organised(path)

    def items(self, folder: Path) -> Iterator[Path]:
        """Every organised folder at or below the folder."""
        return items_of(self, folder)

    def files(self, item: Path) -> Iterator[Path]:
        """What an organiser put there; other files and folders beside it are not the item's."""
        return own_files(item)

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
        """Each run's task and records; into a task that is known go the records of all of them."""
        index = Index()
        yield from index_folder(item, index)
        runs = rebuild(index)
        placed, loose = place_pictures(index, runs)
        shown = calls_in_metadata(index)
        del index
        loose = yield from _only_pictures(item, loose)
        if loose and len(runs) != 1:
            runs = [*runs, RebuiltRun([])]
        for rebuilt in runs:
            is_last = rebuilt is runs[-1]
            listing = listing_of(rebuilt, placed, loose if is_last else [])
            run = _begin(item, agent_id, task_id, rebuilt, listing)
            run.in_metadata = _only_in_metadata(rebuilt, placed, shown)
            run.patterns = patterns or run.patterns
            yield from _read(run, rebuilt, unfinished, is_known=task_id is not None)


def _read(run: FolderRun, rebuilt: RebuiltRun, unfinished: Status, *, is_known: bool) -> Records:
    known = rebuilt.metadata
    metadata = load_metadata(run.folder, known.path) if known else UNKNOWN
    yield from metadata.problems
    for copy in rebuilt.copies:
        reason = "It names a run of which a later state was read."
        yield Problem(printable(copy.path), None, reason)
    yield from read_run(run, metadata, unfinished, is_known=is_known)


def _begin(
    folder: Path, agent_id: str, task_id: UUID | None, rebuilt: RebuiltRun, listing: Folder
) -> FolderRun:
    return FolderRun(
        folder=folder,
        agent_id=agent_id,
        task_id=task_id or _identity(agent_id, rebuilt, listing),
        listing=listing,
        moment=_beginning(folder, rebuilt),
        metadata_path=rebuilt.metadata.path if rebuilt.metadata else "",
        ended=_end(rebuilt),
        about=_about(folder, rebuilt),
    )


def _only_in_metadata(
    rebuilt: RebuiltRun, placed: dict[str, list[str]], shown: dict[str, frozenset[str]]
) -> frozenset[str]:
    if not rebuilt.metadata:
        return frozenset()
    in_files = {fact.call_id for fact in rebuilt.facts if fact.path in placed}
    return shown.get(rebuilt.metadata.path, frozenset()) - in_files


def _identity(agent_id: str, rebuilt: RebuiltRun, listing: Folder) -> UUID:
    """The run's name and its first file; where folders lie and files are called is no part."""
    name = rebuilt.metadata.run if rebuilt.metadata else ""
    first = next((fact for fact in rebuilt.facts), rebuilt.metadata)
    source = first.sha256.hex() if first else listing.loose[0]
    return imported_id("organized_traj", "task", agent_id, printable(name), source)


def _beginning(folder: Path, rebuilt: RebuiltRun) -> Moment:
    known = rebuilt.metadata
    if known and (began := from_ticks(known.ticks)):
        return Moment(began, "file")
    first = rebuilt.start[0] if rebuilt.facts else LAST
    if first != LAST and (began := from_ticks(first)):
        return Moment(began, "file")
    return from_folder(folder, known.run if known else "")


def _end(rebuilt: RebuiltRun) -> datetime | None:
    return from_ticks(max((fact.ticks for fact in rebuilt.facts), default=0))


def _about(folder: Path, rebuilt: RebuiltRun) -> dict[str, Any]:
    """Where the run comes from, and how certain it is that it was one."""
    known = rebuilt.metadata
    name = known.run if known else ""
    source = {"format": "organized_traj", "folder": printable(folder.name)}
    about: dict[str, Any] = {
        "source": source | ({"trajectory_id": clean_text(name)[:300]} if name else {})
    }
    if not known:
        about["source_ref"] = f"organized_traj:{printable(folder.name)}"
    if not known or rebuilt.by_time:
        about["reconstructed"] = True
    return about


def _only_pictures(folder: Path, paths: list[str]) -> Generator[Problem, None, list[str]]:
    """The files that are pictures; the others are told here, for no run may have to hold them."""
    pictures = []
    for path in paths:
        try:
            fault = picture_fault(read_content(folder, path).data)
            reason = Unreadable(fault) if fault else None
        except Unreadable as found:
            reason = found
        if reason:
            yield Problem(printable(path), reason.offset, reason.reason)
        else:
            pictures.append(path)
    return pictures
