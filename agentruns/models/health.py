"""How one part of the system is."""

from agentruns.models.values import Name, Record


class Health(Record):
    """The answer to "are you well?", given in any case and soon."""

    name: Name
    healthy: bool
    latency_ms: float
    detail: str = ""
    """What was seen, and what to do when it is not well."""
