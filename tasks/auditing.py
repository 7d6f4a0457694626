"""The steps of keeping the audit log."""

from storage.access import AuditLog
from storage.settings import load_settings
from tasks.retries import store_task


@store_task
def prune() -> int:
    """Remove the entries whose term is over."""
    return AuditLog(load_settings().required("postgres_url")).prune()
