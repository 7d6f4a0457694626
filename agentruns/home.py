"""Where agentruns keeps what belongs to this machine."""

import os
from pathlib import Path


def home() -> Path:
    """The folder of the local servers, their credentials and the default spool."""
    if chosen := os.environ.get("AGENTRUNS_HOME"):
        return Path(chosen).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "agentruns"
