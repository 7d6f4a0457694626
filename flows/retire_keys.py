"""Take back the keys whose time is over."""

from prefect import flow
from prefect.logging import get_run_logger

from tasks.provisioning import retire


@flow(timeout_seconds=300, persist_result=False)
def retire_keys() -> list[str]:
    """Take back, in all three stores, the keys that were replaced and those of disabled agents."""
    retired = retire()
    get_run_logger().info("%d keys were taken back.", len(retired))
    return retired
