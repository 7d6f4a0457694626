"""End the deletions that were cut off, and remove what came in late."""

from prefect import flow
from prefect.logging import get_run_logger

from storage.deletion import Finished
from tasks.deletion import finish_all


@flow(timeout_seconds=4 * 3600, persist_result=False)
def finish_deletions() -> Finished:
    """End every deletion that a kill or an outage left, then search for what came in late.

    One that fails keeps back no other; the run fails at its end when any did.
    """
    done = finish_all()
    logger = get_run_logger()
    logger.info("%d deletions were ended, %d searched for again.", done.finished, done.swept)
    if done.failed:
        reason = next(iter(done.failed.values()))
        logger.error(
            "%d deletions could not be ended, the first because: %s", len(done.failed), reason
        )
        raise RuntimeError(f"{len(done.failed)} deletions could not be ended: {reason}")
    return done
