"""The user's own patterns of secrets, from a call and from a file."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from agentruns.cleaning import SecretPatterns


def own_secrets(patterns: Iterable[str | re.Pattern[str]]) -> SecretPatterns:
    """The given patterns, and those in the file that AGENTRUNS_SECRETS names.

    Raises:
        ValueError: when one is no regular expression, or the file cannot be read.
    """
    if isinstance(patterns, str):
        raise ValueError("secrets must be a list of regular expressions, not one text")  # noqa: TRY004 - the promise for arguments
    return SecretPatterns([*patterns, *_from_file()])


def _from_file() -> list[str]:
    named = os.environ.get("AGENTRUNS_SECRETS")
    if not named:
        return []
    try:
        lines = [line.strip() for line in Path(named).expanduser().read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"AGENTRUNS_SECRETS names {named}, which cannot be read ({error}): write a file with "
            "one regular expression a line, or unset the variable"
        ) from None
    return [line for line in lines if line and not line.startswith("#")]
