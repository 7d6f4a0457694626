"""How checks, which may be anybody's SQL, read: they can write nothing, and end."""

from typing import Any

from storage.postgres.address import parameters


def reading_parameters(url: str, statement_seconds: float) -> dict[str, Any]:
    """The parameters of a connection on which nothing can be written, and no statement lasts."""
    given = parameters(url, statement_seconds)
    given["options"] += " -c default_transaction_read_only=on"
    return given
