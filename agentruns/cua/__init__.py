"""Agents made with cua-agent, recorded while they run: `ComputerAgent(callbacks=[...])`."""

from agentruns.cua.callback import RecordingCallback

__all__ = ["RecordingCallback"]
