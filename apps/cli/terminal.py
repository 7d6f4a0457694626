"""Where a command prints: answers to stdout, everything else to stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from threading import Event, Thread, Timer
from typing import NamedTuple, TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from apps.cli.answer import Answer

#: A table that goes into a pipe is for `grep` and `awk`: no column is cut there.
WIDE = 300

#: Not printable, yet harmless: line ends, and what joins emoji.
KEPT = "\n\N{ZERO WIDTH JOINER}"

#: Seconds without a sign that people find natural.
PATIENCE = 1.0


#: Seconds from one look at how far it is to the next.
EVERY = 0.5


class Amount(NamedTuple):
    """How much of something is done."""

    what: str
    done: int
    whole: int


@dataclass(frozen=True, slots=True)
class Terminal:
    """The two streams of a command, and how the user wants them."""

    json: bool = False
    debug: bool = False
    plain: bool = False
    """No colour and no other escape sequence."""
    out: Console = field(init=False, repr=False)
    err: Console = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # The way a frozen dataclass fills a field that follows from the others.
        object.__setattr__(self, "out", console(sys.stdout, plain=self.plain))
        object.__setattr__(self, "err", console(sys.stderr, plain=self.plain))

    def answer(self, answer: Answer) -> None:
        """Print an answer: one JSON document, or text for people."""
        if self.json:
            print_json(answer)
        elif isinstance(answer.text, str):
            self.out.print(answer.text, soft_wrap=True)
        else:
            if not self.out.is_terminal:
                self.out.width = WIDE
            self.out.print(answer.text, crop=False)

    def say(self, message: RenderableType) -> None:
        """Tell people what is going on, on stderr."""
        self.err.print(_text(message), soft_wrap=True)

    def error(self, message: str) -> None:
        """Say what went wrong and what to do now, on stderr."""
        self.err.print(Text.assemble(("Error: ", "bold red"), readable(message)), soft_wrap=True)

    def confirms(self, question: str, answer: str) -> bool:
        """Whether a person at the terminal types exactly this; nobody there is no."""
        if not sys.stdin.isatty():
            return False
        self.err.print(_text(question), end="", soft_wrap=True)
        return sys.stdin.readline().rstrip("\n") == answer

    @contextmanager
    def working(self, what: str, news: Callable[[], Amount | None] | None = None) -> Iterator[None]:
        """Show that something is being done, on a terminal and once it takes over a second.

        How much of it is done is shown as soon as `news` tells it.
        """
        if not self.err.is_terminal or self.debug:
            yield
            return
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(30),
            TimeElapsedColumn(),
            console=self.err,
            transient=True,
            redirect_stdout=False,
        )
        task = bar.add_task(readable(what), total=None)
        late, over = Timer(PATIENCE, bar.start), Event()
        late.start()
        if news:
            told = (bar, task, news, over)
            Thread(target=_follow, args=told, daemon=True, name="news").start()
        try:
            yield
        finally:
            over.set()
            late.cancel()
            late.join()
            bar.stop()


def _follow(bar: Progress, task: TaskID, news: Callable[[], Amount | None], over: Event) -> None:
    while not over.wait(EVERY):
        if amount := news():
            told = f"{amount.what}: {amount.done:,} of {amount.whole:,}"
            bar.update(task, description=told, completed=amount.done, total=amount.whole)


def console(stream: TextIO, *, plain: bool) -> Console:
    """A console that never guesses: no colour where none is wanted, no markup in data."""
    return Console(
        file=stream,
        color_system=None if plain else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def wants_plain(arguments: Sequence[str]) -> bool:
    """Whether the user asked for no colour, in the environment or before a `--`."""
    own = takewhile(lambda argument: argument != "--", arguments)
    return bool(os.environ.get("NO_COLOR")) or "--no-color" in own


def readable(text: str) -> str:
    """The text without anything that could steer a terminal: recorded text may be hostile."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in KEPT else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_json(answer: Answer) -> None:
    """Exactly one JSON document on stdout, in UTF-8 whatever the locale says."""
    document = json.dumps(dict(answer.document), ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.buffer.write(document.encode() + b"\n")
    sys.stdout.buffer.flush()


def _text(message: RenderableType) -> RenderableType:
    return Text(readable(message)) if isinstance(message, str) else message
