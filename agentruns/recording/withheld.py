"""Commands with secrets in them, kept from those who only have to know what was run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from agentruns.cleaning import clean_text, redact

# Prefect keeps the parameters of a flow, and a flow lies between the terminal and the command.
_WITHHELD: ContextVar[tuple[list[str], list[str]] | None] = ContextVar("withheld", default=None)


@contextmanager
def withheld_secrets(command: Sequence[str]) -> Iterator[list[str]]:
    """The command without its secrets; inside the block `real_command` knows them."""
    shown = without_secrets(command)
    token = _WITHHELD.set((shown, list(command)))
    try:
        yield shown
    finally:
        _WITHHELD.reset(token)


def real_command(command: Sequence[str]) -> list[str]:
    """The command with the secrets that were withheld around this call, if any were."""
    shown, real = _WITHHELD.get() or ([], [])
    return real if list(command) == shown else list(command)


def without_secrets(command: Sequence[str]) -> list[str]:
    """The command without the secrets that may be in it."""
    options = ("", *command)
    return [_argument(option, value) for option, value in zip(options, command, strict=False)]


def _argument(option: str, value: str) -> str:
    """The value, judged by its own shape and by the option before it (`--api-key VALUE`)."""
    # An option that brings its value along (`--x=y`) says nothing about the next argument.
    name = option.lstrip("-") if option.startswith("-") and "=" not in option else ""
    (shown,) = redact({name: clean_text(value)}).value.values()
    return str(shown)
