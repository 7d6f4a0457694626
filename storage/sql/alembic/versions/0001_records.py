"""Tasks, progress, verdicts and file metadata."""

from storage.postgres.schema import run_revision

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    run_revision(revision)
