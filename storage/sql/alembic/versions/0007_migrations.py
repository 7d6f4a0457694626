"""Folders of old runs on their way into the stores."""

from storage.postgres.schema import run_revision

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Keep what was found in a folder, and what became of it."""
    run_revision(revision)
