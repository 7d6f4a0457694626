"""Takes secrets out of a command, for those who only have to know what was run."""

from collections.abc import Sequence

from agentruns.cleaning import clean_text, redact


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
