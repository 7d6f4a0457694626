"""Remove what is older than the term of the audit log."""

from prefect import flow
from prefect.logging import get_run_logger

from tasks.auditing import prune


@flow(timeout_seconds=3600, persist_result=False)
def prune_audit() -> int:
    """Remove the entries of the audit log whose term is over; gives how many went."""
    removed = prune()
    get_run_logger().info("%d entries of the audit log were removed.", removed)
    return removed
