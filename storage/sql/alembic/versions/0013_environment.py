"""Which environment the database belongs to."""

from storage.postgres.schema import run_revision

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Let the database say which environment it belongs to."""
    run_revision(revision)
