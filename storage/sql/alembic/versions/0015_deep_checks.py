"""What MongoDB tells of tasks, and what objects hold when they are read."""

from storage.postgres.schema import run_revision

revision = "0015"
down_revision = "0017"


def upgrade() -> None:
    """Keep what differs across stores, and how far objects are read."""
    run_revision(revision)
