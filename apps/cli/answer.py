"""What a command hands back: one document for programs, one text for people, one exit code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from apps.cli.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a command, printed by whoever called it."""

    document: Mapping[str, Any]
    """What `--json` prints."""
    text: RenderableType
    """What people read instead."""
    code: int = ExitCode.GOOD
    """One of `ExitCode`, or that of a recorded command."""
