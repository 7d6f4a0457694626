"""How far an evaluation pass got."""

from storage.postgres.schema import run_revision

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the index."""
    run_revision(revision)
