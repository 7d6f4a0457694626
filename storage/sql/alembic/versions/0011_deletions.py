"""What was deleted for good, remembered so that nothing of it comes in again."""

from storage.postgres.schema import run_revision

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Keep what was deleted, and refuse what comes in late."""
    run_revision(revision)
