"""Telling people what is going on."""

import sys
from collections.abc import Callable

#: Tells people one line.
Say = Callable[[str], None]


def say_on_stderr(line: str) -> None:
    """Print one line where it disturbs no program that reads our output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
