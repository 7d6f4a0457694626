"""Which formats can be read."""

from collections.abc import Iterator
from pathlib import Path

from agentruns.trajectories import finding
from agentruns.trajectories.atif.reader import AtifReader
from agentruns.trajectories.browser_use.reader import BrowserUseReader
from agentruns.trajectories.browsergym.reader import BrowserGymReader
from agentruns.trajectories.cua.reader import CuaReader
from agentruns.trajectories.cua_do.reader import CuaDoReader
from agentruns.trajectories.cua_experiment.reader import CuaExperimentReader
from agentruns.trajectories.organized.reader import OrganizedReader
from agentruns.trajectories.osworld.reader import OsworldReader
from agentruns.trajectories.plugins import plugged_in
from agentruns.trajectories.reader import TrajectoryReader

#: Every format that is read without a plug-in, the most specific first.
READERS: tuple[TrajectoryReader, ...] = (
    CuaReader(),
    CuaExperimentReader(),
    CuaDoReader(),
    OrganizedReader(),
    OsworldReader(),
    BrowserGymReader(),
    BrowserUseReader(),
    AtifReader(),
)


def all_readers() -> tuple[TrajectoryReader, ...]:
    """Our own readers, then those of other packages: a new format can't take an old one's place."""
    return READERS + plugged_in()


def find_reader(path: Path) -> TrajectoryReader | None:
    """The reader that recognises the path, or None."""
    return next((reader for reader in all_readers() if reader.recognise(path)), None)


def find_items(folder: Path) -> Iterator[finding.Found]:
    """Every item of every format at or below the path, in order; no file belongs to two."""
    return finding.find_items(folder, all_readers())
