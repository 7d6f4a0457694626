"""The steps of keeping the audit log."""

from storage.access import AuditLog
from storage.marker import guard_of
from storage.settings import load_settings
from tasks.retries import store_task


@store_task
def prune() -> int:
    """Remove the entries whose term is over."""
    settings = load_settings()
    return AuditLog(settings.required("postgres_url"), guard_of(settings)).prune()
