"""How agents write: what a run says about itself is on this machine's disk when a call returns."""

from agentruns.recording.flushing import FlushResult
from agentruns.recording.handler import logging_handler
from agentruns.recording.recorder import Recorder
from agentruns.recording.run import Run

__all__ = ["FlushResult", "Recorder", "Run", "logging_handler"]
