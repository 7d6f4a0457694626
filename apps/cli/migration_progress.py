"""A migration at work: how much of each step is done, how quick it is, and the time left.

What is shown was counted in PostgreSQL, so it is the same in the terminal that started the run
and in any other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from apps.cli.tables import size_text
from apps.cli.terminal import PATIENCE, Terminal

if TYPE_CHECKING:
    from storage.migration.steps import Progress, Steps

#: Seconds from one look to the next.
_EVERY = 0.5
_WIDTH = 30
_NAMES = {"inventory": "Listing", "copy": "Copying", "verify": "Verifying"}
_TROUBLES = {"copy": "quarantined", "verify": "different"}


@contextmanager
def moving(terminal: Terminal, source: str, agent_id: str) -> Iterator[None]:
    """Show what the run in this process does, on a terminal and once it takes over a second."""
    if not terminal.err.is_terminal or terminal.debug:
        yield
        return
    # Late: the stores bring their drivers.
    from storage.migration.places import checked_place
    from storage.migration.store import migration_id_of

    key, steps = migration_id_of(checked_place(source).name, agent_id), _steps()
    # What an earlier run has done says nothing about this one.
    before = {one.step: one.began_at for one in steps.all(key)}

    def news() -> Sequence["Progress"]:
        return [one for one in steps.all(key) if before.get(one.step) != one.began_at]

    with _shown(terminal, news):
        yield


def watch_run(terminal: Terminal, migration_id: UUID) -> None:
    """Show what somebody else does until that ends; stopping this does not stop it."""
    steps, over = _steps(), Event()
    if not steps.is_running(migration_id):
        terminal.say("Nobody is at work on it right now.")
        return
    with _shown(terminal, lambda: steps.all(migration_id)):
        while steps.is_running(migration_id):
            over.wait(2 * _EVERY)


def as_bars(steps: Sequence["Progress"]) -> RenderableType:
    """One bar a step, and what the newest of them has done in figures."""
    if not steps:
        return Text("Migrating")
    grid = Table.grid(padding=(0, 1))
    for one in steps:
        share = one.share
        bar = ProgressBar(1.0, share or 0.0, width=_WIDTH, pulse=share is None)
        percent = "" if share is None else f"{share:4.0%}"
        grid.add_row(_NAMES[one.step], bar, percent, _time(one))
    return Group(grid, _figures(max(steps, key=lambda one: one.seen_at)))


@contextmanager
def _shown(terminal: Terminal, news: Callable[[], Sequence["Progress"]]) -> Iterator[None]:
    """Draw the news again and again, beside what is done meanwhile."""
    if not terminal.err.is_terminal or terminal.debug:
        yield
        return
    live = Live(as_bars([]), console=terminal.err, transient=True, redirect_stdout=False)
    over = Event()
    late = Timer(PATIENCE, live.start)
    looking = Thread(target=_look, args=(live, news, over), daemon=True, name="progress")
    late.start()
    looking.start()
    try:
        yield
    finally:
        over.set()
        late.cancel()
        late.join()
        live.stop()
        # A store that is away holds it up, and is told by whoever needs the store.
        looking.join(PATIENCE)


def _look(live: Live, news: Callable[[], Sequence["Progress"]], over: Event) -> None:
    # Late: see above.
    from storage.errors import StorageError

    while not over.wait(_EVERY):
        with suppress(StorageError):
            live.update(as_bars(news()))


def _steps() -> "Steps":
    from storage.migration.steps import Steps
    from storage.stores import shared_stores

    return Steps(shared_stores().postgres)


def _time(one: "Progress") -> str:
    if one.ended_at:
        return f"took {_span(one.seconds)}"
    left = one.seconds_left
    return f"{_span(one.seconds)} so far" if left is None else f"{_span(left)} left"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _figures(one: "Progress") -> Text:
    told = [
        _of(f"{one.items:,}", one.all_items and f"{one.all_items:,}") + " items",
        _of(f"{one.files:,}", one.all_files and f"{one.all_files:,}") + " files",
        _of(size_text(one.size_bytes), one.all_bytes and size_text(one.all_bytes)),
        f"{size_text(int(one.bytes_per_second))}/s",
    ]
    text = Text(", ".join(told))
    if one.step in _TROUBLES:
        style = "bold red" if one.troubled else ""
        text.append(", ").append(f"{one.troubled:,} {_TROUBLES[one.step]}", style)
    return text


def _of(done: str, whole: str | int | None) -> str:
    return f"{done} of {whole}" if whole else done
