"""Files that are either there as a whole or not at all, and for our eyes only."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from apps.stack.errors import StackError


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; nobody but its owner can ever read it."""
    # mkstemp creates with 0600 whatever the umask is.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_mapping(path: Path, values: Mapping[str, object]) -> None:
    """Replace a JSON object at once."""
    write_private(path, json.dumps(values, indent=2) + "\n")


def read_mapping(path: Path) -> dict[str, object] | None:
    """A JSON object, or None when there is no such file.

    Raises:
        StackError: when the file does not hold one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StackError(
            f"{path} is damaged: restore it, or delete all data with 'agentruns reset'"
        )
    return found
