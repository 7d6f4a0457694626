"""Short hiccups of a store are tried again, here and only here in the same way."""

import logging

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from storage.errors import StoreUnavailable

_LOGGER = logging.getLogger(__name__)


def _say_so(details: RetryDetails) -> None:
    _LOGGER.warning(
        "%s is tried again in %.2f s: %s", details.name, details.wait_for, details.caused_by
    )


# The hooks that stamina brings print every argument, whole batches and passwords included.
set_on_retry_hooks([_say_so])

#: Three attempts with growing, jittered pauses, begun within a few seconds; then the caller
#: hears of it. A call that already used up its own deadline is not repeated.
retried = stamina.retry(
    on=StoreUnavailable, attempts=3, timeout=5.0, wait_initial=0.1, wait_max=1.0, wait_jitter=0.2
)
