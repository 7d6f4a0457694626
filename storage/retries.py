"""Short hiccups of a store are tried again, here and only here in the same way."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from storage.errors import StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")

_LOGGER = logging.getLogger(__name__)

#: A call that already used up its own deadline is not repeated.
_SECONDS = 5.0


def _say_so(details: RetryDetails) -> None:
    _LOGGER.warning(
        "%s is tried again in %.2f s: %s", details.name, details.wait_for, details.caused_by
    )


# The hooks that stamina brings print every argument, whole batches and passwords included.
set_on_retry_hooks([_say_so])

_repeated = stamina.retry(
    on=StoreUnavailable,
    attempts=3,
    timeout=_SECONDS,
    wait_initial=0.1,
    wait_max=1.0,
    wait_jitter=0.2,
)


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Three attempts with growing, jittered pauses, begun within a few seconds.

    Then the caller hears of it.
    """

    @wraps(function)
    def first(*args: P.args, **kwargs: P.kwargs) -> R:
        start = time.monotonic()
        try:
            return function(*args, **kwargs)
        except StoreUnavailable as error:
            if time.monotonic() - start > _SECONDS:
                raise
            failed = [error]

        # Only now: being ready to repeat takes 0.1 ms, a sixth of putting an object.
        @_repeated
        @wraps(function)
        def further() -> R:
            if failed:
                raise failed.pop()
            return function(*args, **kwargs)

        return further()

    return first
