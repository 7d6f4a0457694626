"""Printed lines as log entries."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from agentruns.models import Level, LogEntry
from agentruns.recording.lines import Line

#: Up to this many lines that came together become an entry each; a flood becomes one entry.
MOST_ENTRIES = 200


class OutputLog:
    """Turns the output of one attempt into log entries that say which lines they are."""

    def __init__(self, agent_id: str, task_id: UUID, attempt: int) -> None:
        self._agent_id = agent_id
        self._task_id = task_id
        self._attempt = attempt
        self._counts: Counter[Level] = Counter()

    def entries(self, level: Level, lines: list[Line]) -> Iterator[LogEntry]:
        """One entry a line, or one for all of a flood, with the lines in `data.lines`."""
        first = self._counts[level] + 1
        self._counts[level] += len(lines)
        if len(lines) > MOST_ENTRIES:
            yield self._flood(level, first, lines)
            return
        for number, line in enumerate(lines, first):
            marks = {"damaged": True} if line.damaged else {}
            yield self._entry(level, line.text, {"line": number, **marks})

    def _flood(self, level: Level, first: int, lines: list[Line]) -> LogEntry:
        damaged = sum(line.damaged for line in lines)
        data = {
            "line": first,
            "lines": [line.text for line in lines],
            **({"damaged": damaged} if damaged else {}),
        }
        return self._entry(level, f"{len(lines)} lines of output", data)

    def _entry(self, level: Level, message: str, data: dict[str, object]) -> LogEntry:
        stream = "stderr" if level is Level.WARNING else "stdout"
        return LogEntry(
            agent_id=self._agent_id,
            task_id=self._task_id,
            level=level,
            message=message,
            data={"stream": stream, "attempt": self._attempt, **data},
        )
