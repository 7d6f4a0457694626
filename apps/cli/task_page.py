"""How one task looks, with everything that hangs on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.tables import cell, level_text, score_text, size_text, status_text, table, when
from apps.cli.terminal import Terminal, readable

if TYPE_CHECKING:
    from agentruns.models import (
        AgentTask,
        Evaluation,
        LogEntry,
        MissingFile,
        Page,
        ProgressUpdate,
        StoredFile,
    )


@dataclass(frozen=True, slots=True)
class TaskRecords:
    """A task and the first page of each kind of record that hangs on it."""

    task: "AgentTask"
    progress: "Page[ProgressUpdate]"
    files: "Page[StoredFile]"
    missing: "Page[MissingFile]"
    logs: "Page[LogEntry]"
    evaluations: "Page[Evaluation]"


def as_page(records: TaskRecords, links: Mapping[UUID, str], terminal: Terminal) -> RenderableType:
    """The task for people: the facts, then one table for each kind of record."""
    clock = _Clock(exact=not terminal.out.is_terminal)
    tables = (
        _progress(records, clock),
        _files(records),
        _missing(records, clock),
        _logs(records, clock),
        _evaluations(records, clock),
    )
    found = (part for each in tables if each is not None for part in ("", each))
    facts = _facts(records.task, clock)
    return Group(facts, *found, *_addresses(records, links), *_rest(records))


class _Clock:
    """Times, relative to one present for the whole page."""

    def __init__(self, *, exact: bool) -> None:
        self._now = datetime.now(UTC)
        self._exact = exact

    def __call__(self, moment: datetime | None) -> str:
        return when(moment, self._now, exact=self._exact)


def _facts(task: "AgentTask", clock: _Clock) -> Text:
    title = Text.assemble(status_text(task.status), "  ", cell(task.title).plain)
    title.stylize("bold")
    lines = [title, Text(f"{task.id}  agent {task.agent_id}", "dim")]
    if task.description:
        lines.append(Text(readable(task.description)))
    lines.append(Text(f"created {clock(task.created_at)}, {_duration(task)}{_reason(task)}", "dim"))
    return Text("\n").join(lines)


def _reason(task: "AgentTask") -> str:
    reason = task.metadata.get("reason") if task.finished_at else None
    return f": {cell(str(reason)).plain}" if reason else ""


def _duration(task: "AgentTask") -> str:
    if task.started_at is None:
        return "not started"
    if task.finished_at is None:
        return "not finished"
    return f"took {(task.finished_at - task.started_at).total_seconds():.1f} s"


def _progress(records: TaskRecords, clock: _Clock) -> RenderableType | None:
    rows = [
        (
            "-" if each.step is None else str(each.step),
            "-" if each.progress_percent is None else f"{each.progress_percent:.0f} %",
            each.message,
            clock(each.timestamp),
        )
        for each in records.progress
    ]
    return table("Step", "Done", "Progress", "When", rows=rows) if rows else None


def _files(records: TaskRecords) -> RenderableType | None:
    rows = [
        (
            str(file.id),
            str(file.metadata.get("step", "-")),
            _name(file),
            size_text(file.size_bytes),
            # `png` says it; `image/png` has no room in 80 columns.
            file.content_type.rpartition("/")[2],
        )
        for file in records.files
    ]
    return table("File", "Step", "Name", "Size", "Type", rows=rows) if rows else None


def _missing(records: TaskRecords, clock: _Clock) -> RenderableType | None:
    rows = [
        (str(file.id), _name(file), size_text(file.size_bytes), clock(file.missing_since))
        for file in records.missing
    ]
    return table("Lost file", "Name", "Size", "Missing since", rows=rows) if rows else None


def _name(file: "StoredFile") -> str:
    return str(file.metadata.get("name") or file.object_path.rpartition("/")[2])


def _logs(records: TaskRecords, clock: _Clock) -> RenderableType | None:
    # The newest were read; people read from top to bottom.
    rows = [
        (clock(entry.created_at), level_text(entry.level), entry.message)
        for entry in reversed(records.logs)
    ]
    return table("When", "Level", "Log (newest last)", rows=rows) if rows else None


def _evaluations(records: TaskRecords, clock: _Clock) -> RenderableType | None:
    rows = [
        (
            f"{each.scorer} {each.scorer_version}",
            score_text(each.score),
            each.report,
            clock(each.created_at),
        )
        for each in records.evaluations
    ]
    return table("Scorer", "Score", "Why", "When", rows=rows) if rows else None


def _addresses(records: TaskRecords, links: Mapping[UUID, str]) -> Iterator[Text]:
    for file in records.files:
        if file.id in links:
            # Never wrapped: an address is there to be copied.
            address = f"\n{_name(file)}\n{links[file.id]}"
            yield Text(address, no_wrap=True, overflow="ignore")


def _rest(records: TaskRecords) -> Iterator[Text]:
    pages = {
        "later steps": records.progress,
        "older files": records.files,
        "older lost files": records.missing,
        "older log entries": records.logs,
        "older evaluations": records.evaluations,
    }
    if left_out := [kind for kind, page in pages.items() if page.next]:
        yield Text(f"\nThere are {' and '.join(left_out)}: raise --limit to see them.", "dim")
