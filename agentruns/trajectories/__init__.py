"""What others left on disk: one reader a format, a folder in, a stream of models out."""

from pathlib import Path

from agentruns.trajectories.atif.reader import AtifReader
from agentruns.trajectories.browser_use.reader import BrowserUseReader
from agentruns.trajectories.browsergym.reader import BrowserGymReader
from agentruns.trajectories.cua.reader import CuaReader
from agentruns.trajectories.osworld.reader import OsworldReader
from agentruns.trajectories.reader import Problem, Records, TrajectoryReader

#: Every format that can be read, the most specific first.
READERS: tuple[TrajectoryReader, ...] = (
    CuaReader(),
    OsworldReader(), BrowserGymReader(), BrowserUseReader(), AtifReader(),
)  # fmt: skip


def find_reader(path: Path) -> TrajectoryReader | None:
    """The reader that recognises the path, or None."""
    return next((reader for reader in READERS if reader.recognise(path)), None)


__all__ = [
    "READERS",
    "AtifReader",
    "BrowserGymReader",
    "BrowserUseReader",
    "CuaReader",
    "OsworldReader",
    "Problem",
    "Records",
    "TrajectoryReader",
    "find_reader",
]
