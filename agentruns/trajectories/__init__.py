"""What others left on disk: one reader a format, a folder in, a stream of models out."""

from agentruns.trajectories.atif.reader import AtifReader
from agentruns.trajectories.browser_use.reader import BrowserUseReader
from agentruns.trajectories.browsergym.reader import BrowserGymReader
from agentruns.trajectories.cua.reader import CuaReader
from agentruns.trajectories.cua_do.reader import CuaDoReader
from agentruns.trajectories.cua_experiment.reader import CuaExperimentReader
from agentruns.trajectories.finding import Found
from agentruns.trajectories.formats import READERS, all_readers, find_items, find_reader
from agentruns.trajectories.organized.reader import OrganizedReader
from agentruns.trajectories.osworld.reader import OsworldReader
from agentruns.trajectories.reader import Problem, Records, TrajectoryReader

__all__ = [
    "READERS",
    "AtifReader",
    "BrowserGymReader",
    "BrowserUseReader",
    "CuaDoReader",
    "CuaExperimentReader",
    "CuaReader",
    "Found",
    "OrganizedReader",
    "OsworldReader",
    "Problem",
    "Records",
    "TrajectoryReader",
    "all_readers",
    "find_items",
    "find_reader",
]
