"""Take back the keys whose time is over."""

from prefect import flow
from prefect.logging import get_run_logger

from tasks.provisioning import drop_roles, retire


@flow(timeout_seconds=300, persist_result=False)
def retire_keys() -> list[str]:
    """Take back, in all three stores, the keys that were replaced and those of disabled agents.

    Their roles in PostgreSQL are dropped; the audit log keeps their names.
    """
    logger = get_run_logger()
    retired = retire()
    logger.info("%d keys were taken back.", len(retired))
    dropped, kept = drop_roles()
    logger.info("%d roles of keys that are over were dropped.", len(dropped))
    if kept:
        logger.warning(
            "%d roles have no login any more and stay, as they left something in another database "
            "of the server, such as %s.",
            len(kept),
            kept[0],
        )
    return retired
