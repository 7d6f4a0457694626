"""What an exception says about the end of a run."""

import sys
import traceback
from typing import Any, NamedTuple

from agentruns.models import Status


class Ending(NamedTuple):
    """How a run ended, and why."""

    status: Status
    reason: str | None = None
    error: dict[str, Any] | None = None
    """The exception in words, where it is worth an entry in the log."""


def ending_of(error: BaseException | None) -> Ending:
    """How the run ended that this exception left, or nothing."""
    if error is None or (isinstance(error, SystemExit) and error.code in {0, None}):
        return Ending(Status.COMPLETED)
    if isinstance(error, _cancellations()):
        return Ending(Status.CANCELLED, type(error).__name__)
    told = exception_in_words(error)
    return Ending(Status.FAILED, f"{told['type']}: {told['message']}".rstrip(": "), told)


def exception_in_words(error: BaseException) -> dict[str, Any]:
    """Type, message and traceback of an exception."""
    written = traceback.TracebackException.from_exception(error)
    return {
        "type": type(error).__qualname__,
        "message": str(written),
        "traceback": "".join(written.format()),
    }


def _cancellations() -> tuple[type[BaseException], ...]:
    # Where asyncio was never imported, nothing of it was raised; importing it takes 50 ms.
    asyncio = sys.modules.get("asyncio")
    return (KeyboardInterrupt, GeneratorExit, *([asyncio.CancelledError] if asyncio else []))
