"""The one place that makes record ids, so that every write can be repeated."""

import time
from secrets import token_hex
from uuid import UUID, uuid5

import uuid6

#: The namespace of every imported record. Changing it would import everything a second time.
IMPORTED = UUID("6f1c3b52-93a4-5d0e-8a53-0c1f6f0b7d11")

#: The four hexadecimal digits whose first two bits are those of an RFC 9562 UUID.
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def new_id() -> UUID:
    """A UUIDv7 for what is born here: unique, and ordered by time of birth."""
    return UUID(bytes=uuid6.uuid7().bytes)


def new_ids(count: int) -> list[str]:
    """As many UUIDv7 at once, as text and in a tenth of the time, for rows by the 100,000."""
    prefix, noise = f"{time.time_ns() // 1_000_000:012x}7", token_hex(10 * count)
    parts = (noise[start : start + 20] for start in range(0, 20 * count, 20))
    return [f"{prefix}{part[:3]}{_VARIANT[part[3]]}{part[4:19]}" for part in parts]


def imported_id(*source: str) -> UUID:
    """A UUIDv5 for what is imported: the same source identity gives the same id, always."""
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    return uuid5(IMPORTED, "".join(f"{len(part)}:{part}" for part in source))
