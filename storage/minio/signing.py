"""What the audit log hears of an address that is signed."""

import re
from contextlib import suppress
from uuid import UUID

from agentruns.models import Bucket
from agentruns.models.values import AGENT_ID_PATTERN
from storage.acts import Act


def signature(bucket: Bucket, path: str, expires_seconds: int) -> Act:
    """Which object an address opens and for how long, and whose it is as its name tells."""
    agent_id, *below = path.split("/")
    details = {"bucket": bucket.value, "object": path, "expires_seconds": expires_seconds}
    return Act(
        agent_id if re.fullmatch(AGENT_ID_PATTERN, agent_id) else None,
        _task(below[0]) if len(below) > 1 else None,
        details,
    )


def _task(folder: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(folder)
    return None
