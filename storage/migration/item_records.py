"""The records that an item's reader gives, whoever wants them."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from agentruns.cleaning import SecretPatterns
from agentruns.models import AnyRecord
from agentruns.trajectories import Problem, all_readers
from storage.errors import RecordNotFound
from storage.migration.models import Item, Migration


def read_item(
    migration: Migration, item: Item, patterns: SecretPatterns, task_id: UUID | None = None
) -> Iterator[AnyRecord | Problem]:
    """What is in the item, with equal ids each time; nothing for what no reader knows.

    With a task that is there already, everything becomes part of it.

    Raises:
        RecordNotFound: when the reader that knew it is not installed any more.
    """
    if item.format is None:
        return
    reader = next((one for one in all_readers() if one.name == item.format), None)
    if reader is None:
        raise RecordNotFound(
            f"No reader for the format {item.format!r} is installed here; install it and go on."
        )
    place = Path(migration.source) / os.fsdecode(item.path)
    zone = ZoneInfo(migration.timezone)
    yield from reader.read(place, migration.agent_id, task_id, patterns=patterns, timezone=zone)
