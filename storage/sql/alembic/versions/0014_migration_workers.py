"""Who copies items of a migration right now."""

from storage.postgres.schema import run_revision

revision = "0014"
down_revision = "0015"


def upgrade() -> None:
    """Let several workers share a migration."""
    run_revision(revision)
