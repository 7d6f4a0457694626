"""Who records, so that it can be told whether it still lives."""

import os
from functools import cache
from pathlib import Path
from typing import Any

MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def origin(session: str) -> dict[str, Any]:
    """Host, machine, boot, process and session of this recorder."""
    return {
        "host": os.uname().nodename,
        "machine": _read(MACHINE_ID),
        "boot_id": _read(BOOT_ID),
        "pid": os.getpid(),
        "session": session,
    }


@cache
def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
