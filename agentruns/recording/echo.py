"""Who sees what a recorded command prints while it prints it, besides the stores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from agentruns.models import Level

#: Takes lines that came together: `info` from stdout, `warning` from stderr; no secrets in them.
Listener = Callable[[Level, Sequence[str]], None]

# A listener is no parameter of a flow, and a flow lies between the terminal and the command.
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def echoed_to(listener: Listener) -> Iterator[None]:
    """Hand what commands print to a listener, too, for as long as the block lasts."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def echo(level: Level, lines: Sequence[str]) -> None:
    """Hand lines to whoever listens, if anybody does."""
    if listener := _LISTENER.get():
        listener(level, lines)
