"""The one place that makes record ids, so that every write can be repeated."""

from uuid import UUID, uuid5

import uuid6

#: The namespace of every imported record. Changing it would import everything a second time.
IMPORTED = UUID("6f1c3b52-93a4-5d0e-8a53-0c1f6f0b7d11")


def new_id() -> UUID:
    """A UUIDv7 for what is born here: unique, and ordered by time of birth."""
    return UUID(bytes=uuid6.uuid7().bytes)


def imported_id(*source: str) -> UUID:
    """A UUIDv5 for what is imported: the same source identity gives the same id, always."""
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    return uuid5(IMPORTED, "".join(f"{len(part)}:{part}" for part in source))
