"""Printed lines as log entries."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from agentruns.commands.lines import Lines
from agentruns.models import Level, LogEntry

#: Up to this many lines that came together become an entry each; a flood becomes few entries.
MOST_ENTRIES = 200
#: About how much of a flood goes into one entry.
FLOOD_CHARACTERS = 256 * 1024


class OutputLog:
    """Turns the output of one attempt into log entries that say which lines they are."""

    def __init__(self, agent_id: str, task_id: UUID, attempt: int) -> None:
        self._agent_id = agent_id
        self._task_id = task_id
        self._attempt = attempt
        self._counts: Counter[Level] = Counter()

    def entries(self, level: Level, lines: Lines) -> Iterator[LogEntry]:
        """One entry a line, or few for all of a flood, with the lines in `data.lines`."""
        first = self._counts[level] + 1
        self._counts[level] += len(lines.texts)
        if len(lines.texts) > MOST_ENTRIES:
            yield from self._flood(level, first, lines)
            return
        for index, text in enumerate(lines.texts):
            marks = {"damaged": True} if index in lines.damaged else {}
            marks |= {"unfinished": True} if lines.unfinished else {}
            yield self._entry(level, text, {"line": first + index, **marks})

    def _flood(self, level: Level, first: int, lines: Lines) -> Iterator[LogEntry]:
        start = 0
        for end in _ends(lines.texts):
            damaged = sum(start <= index < end for index in lines.damaged)
            marks = {"damaged": damaged} if damaged else {}
            data = {"line": first + start, "lines": lines.texts[start:end], **marks}
            yield self._entry(level, f"{end - start} lines of output", data)
            start = end

    def _entry(self, level: Level, message: str, data: dict[str, object]) -> LogEntry:
        stream = "stderr" if level is Level.WARNING else "stdout"
        return LogEntry(
            agent_id=self._agent_id,
            task_id=self._task_id,
            level=level,
            message=message,
            data={"stream": stream, "attempt": self._attempt, **data},
        )


def _ends(texts: list[str]) -> Iterator[int]:
    """Where to cut the lines, so that no entry of a flood is too large for a small spool."""
    size = 0
    for index, text in enumerate(texts):
        size += len(text) + 1
        if size > FLOOD_CHARACTERS:
            size = 0
            yield index + 1
    if size:
        yield len(texts)
