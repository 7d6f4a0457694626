"""What a recorded command prints, shown to the person who started it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from agentruns.models import Level


class Echo:
    """Shows the lines of a command on our streams; never stops the command."""

    def __init__(self, terminal: Terminal) -> None:
        # The one JSON document has stdout for itself.
        self._out: TextIO | None = sys.stderr if terminal.json else sys.stdout
        self._err: TextIO | None = sys.stderr

    def __call__(self, level: "Level", lines: Sequence[str]) -> None:
        """Show lines that came together."""
        if level == "info":
            self._out = _written(self._out, lines)
        else:
            self._err = _written(self._err, lines)


def _written(stream: TextIO | None, lines: Sequence[str]) -> TextIO | None:
    """The stream, or None once nobody reads it any more."""
    if stream is None:
        return None
    text = "".join(f"{line}\n" for line in lines)
    try:
        # What the locale cannot show is no reason to end somebody's run.
        stream.write(text.encode(stream.encoding, "replace").decode(stream.encoding))
        stream.flush()
    except OSError:
        return None
    return stream
