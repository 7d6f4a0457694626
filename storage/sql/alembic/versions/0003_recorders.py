"""The order in which recorders said things, and their heartbeat."""

from storage.postgres.schema import run_revision

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and the index."""
    run_revision(revision)
