"""Tables for the pages that people open in Prefect, made of text that anybody may have written."""

import re
from collections.abc import Sequence

_MEANINGFUL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")
_LONGEST_CELL = 120


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; cells that hold foreign text have to be `plain`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def plain(text: str, longest: int = _LONGEST_CELL) -> str:
    """Text that means nothing to Markdown, so that a title makes no browser load anything."""
    short = " ".join(text.split())[:longest]
    return _MEANINGFUL.sub(r"\\\1", short)
