"""How values look in tables: the same colours, scores and times everywhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich import box
from rich.table import Table
from rich.text import Text

from apps.cli.terminal import readable

#: What a status looks like; the words are those of `agentruns.models.Status` and of servers.
STATUS_STYLES = {
    "pending": "dim",
    "in_progress": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "magenta",
}

#: Columns that are never broken over two lines: what is copied from them must be whole.
WHOLE = frozenset(
    {
        *("Event", "Task", "Status", "Score", "Since"),
        *("File", "Step", "Done", "Name", "Size", "When", "Level"),
        *("Server", "State", "Address", "PID", "Check", "Took", "Scorer", "Tasks", "Mean"),
    }
)

LEVEL_STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def table(*headers: str, rows: Iterable[Sequence[Text | str]]) -> Table:
    """Columns without frames: easy to read, to copy and to grep."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        grid.add_column(header, no_wrap=header in WHOLE, overflow="fold")
    for row in rows:
        grid.add_row(*(cell(value) for value in row))
    return grid


def cell(value: Text | str) -> Text:
    """A value in one line, whatever was recorded."""
    return value if isinstance(value, Text) else Text(readable(" ".join(value.split())))


def status_text(status: str) -> Text:
    """The status in its colour."""
    return Text(status, STATUS_STYLES.get(status, ""))


def level_text(level: str) -> Text:
    """The level of a log entry in its colour."""
    return Text(level, LEVEL_STYLES.get(level, ""))


def yes_no(good: bool) -> Text:
    """A verdict that also reads without colours."""
    return Text("ok", "green") if good else Text("FAILED", "bold red")


def score_text(score: float | None) -> Text:
    """A score of 0 to 1, red to green; a dash where there is none."""
    if score is None:
        return Text("-", "dim")
    return Text(f"{score:.2f}", "green" if score >= 0.75 else "yellow" if score >= 0.4 else "red")


def when(moment: datetime | None, now: datetime, *, exact: bool) -> str:
    """An ISO time for programs; for people how long ago, and the date once a week has passed."""
    if moment is None:
        return "-"
    age = now - moment
    if exact or not timedelta() <= age < timedelta(days=7):
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    seconds = int(age.total_seconds())
    unit, size = next((unit for unit in UNITS if seconds >= unit[1]), ("s", 1))
    return f"{seconds // size} {unit} ago"


def size_text(size: int) -> str:
    """A number of bytes as people say it."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
