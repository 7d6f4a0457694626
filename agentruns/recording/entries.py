"""Printed lines as log entries."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from agentruns.models import Level, LogEntry
from agentruns.recording.lines import Lines

#: Up to this many lines that came together become an entry each; a flood becomes one entry.
MOST_ENTRIES = 200


class OutputLog:
    """Turns the output of one attempt into log entries that say which lines they are."""

    def __init__(self, agent_id: str, task_id: UUID, attempt: int) -> None:
        self._agent_id = agent_id
        self._task_id = task_id
        self._attempt = attempt
        self._counts: Counter[Level] = Counter()

    def entries(self, level: Level, lines: Lines) -> Iterator[LogEntry]:
        """One entry a line, or one for all of a flood, with the lines in `data.lines`."""
        first = self._counts[level] + 1
        self._counts[level] += len(lines.texts)
        if len(lines.texts) > MOST_ENTRIES:
            yield self._flood(level, first, lines)
            return
        for index, text in enumerate(lines.texts):
            marks = {"damaged": True} if index in lines.damaged else {}
            yield self._entry(level, text, {"line": first + index, **marks})

    def _flood(self, level: Level, first: int, lines: Lines) -> LogEntry:
        marks = {"damaged": len(lines.damaged)} if lines.damaged else {}
        data = {"line": first, "lines": lines.texts, **marks}
        return self._entry(level, f"{len(lines.texts)} lines of output", data)

    def _entry(self, level: Level, message: str, data: dict[str, object]) -> LogEntry:
        stream = "stderr" if level is Level.WARNING else "stdout"
        return LogEntry(
            agent_id=self._agent_id,
            task_id=self._task_id,
            level=level,
            message=message,
            data={"stream": stream, "attempt": self._attempt, **data},
        )
