"""Patterns of secrets that only the user knows."""

import re
from collections.abc import Iterable

from agentruns.cleaning.secret_shapes import REDACTED


class SecretPatterns:
    """Regular expressions whose matches are secrets, in texts and in the names of keys."""

    def __init__(self, patterns: Iterable[str | re.Pattern[str]] = ()) -> None:
        self._patterns = tuple(_compiled(pattern) for pattern in patterns)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def hide(self, text: str) -> str:
        """The text with `REDACTED` in the place of each match."""
        for pattern in self._patterns:
            text = pattern.sub(_hidden, text)
        return text

    def name_a_secret(self, key: str) -> bool:
        """Whether one of the patterns is the whole key, so that its value is a secret too."""
        return any(pattern.fullmatch(key) for pattern in self._patterns)


def _hidden(match: re.Match[str]) -> str:
    # A pattern such as `x*` also matches nothing, and there nothing is hidden.
    return REDACTED if match[0] else ""


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    """The pattern, ready for use.

    Raises:
        ValueError: when it is no regular expression for text.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"secrets must be regular expressions, and one of them is none: {error}"
        ) from None
    if not isinstance(compiled.pattern, str):
        raise ValueError("secrets must be regular expressions for text, not for bytes")  # noqa: TRY004 - the promise for arguments
    return compiled
